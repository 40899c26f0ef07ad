/** Secrets by name. A missing one is PortFailure 'secret-missing' naming the name, never the value. */
export interface SecretSource {
  secret(name: string): Promise<string>;
}
