import { readFile } from 'node:fs/promises';
import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { repeatedMember } from '../shared/repeated-member';

/** `sapiens-client-id` → `DATAPUMP_SECRET_SAPIENS_CLIENT_ID`. */
export const secretVariable = (name: string): string =>
  `DATAPUMP_SECRET_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;

/**
 * Secrets from environment variables and, where they are not there, from one JSON file of names and values. The file is
 * read at every request for a secret, so that a renewed secret counts without a restart; callers keep what they got.
 */
export class EnvironmentSecretSource implements SecretSource {
  constructor(
    private readonly options: {
      readonly environment: Readonly<Record<string, string | undefined>>;
      readonly file?: string;
    },
  ) {}

  async secret(name: string): Promise<string> {
    const variable = secretVariable(name);
    const value = this.options.environment[variable] ?? (await this.fromFile(name));
    if (value !== undefined && value !== '') return value;
    throw new PortFailure(
      `secret ${name} is missing: set ${variable}${this.options.file === undefined ? '' : ` or add it to ${this.options.file}`}`,
      {
        code: 'secret-missing',
        retryable: false,
        facts: { secretName: name },
      },
    );
  }

  private async fromFile(name: string): Promise<string | undefined> {
    const { file } = this.options;
    if (file === undefined) return undefined;
    const unreadable = (reason: string): PortFailure =>
      new PortFailure(`failed to read secret ${name} from ${file}: ${reason}`, {
        code: 'secret-missing',
        retryable: false,
        facts: { secretName: name, reason },
      });
    let text: string;
    let secrets: unknown;
    try {
      text = await readFile(file, 'utf8');
      secrets = JSON.parse(text);
    } catch (error) {
      // A parser's message quotes the text around the fault, which here is a secret: only the kind of error goes on.
      throw unreadable((error as NodeJS.ErrnoException).code ?? 'not JSON');
    }
    if (repeatedMember(text) === `/${name}`) throw unreadable('it stands twice');
    const value =
      typeof secrets === 'object' && secrets !== null && Object.hasOwn(secrets, name)
        ? (secrets as Record<string, unknown>)[name]
        : undefined;
    return typeof value === 'string' ? value : undefined;
  }
}
