/** What was opened is closed, newest first, whatever fails on the way. */
export class Lifecycle {
  private readonly closers: { readonly what: string; readonly close: () => Promise<void> | void }[] = [];

  /** Remembers how to close what was just opened and hands it on. */
  opened<Resource>(what: string, resource: Resource, close: (resource: Resource) => Promise<void> | void): Resource {
    this.closers.push({ what, close: () => close(resource) });
    return resource;
  }

  /** Closes everything once; returns what could not be closed. */
  async close(): Promise<readonly { readonly what: string; readonly error: unknown }[]> {
    const failures: { what: string; error: unknown }[] = [];
    for (let closer = this.closers.pop(); closer; closer = this.closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        failures.push({ what: closer.what, error });
      }
    }
    return failures;
  }
}
