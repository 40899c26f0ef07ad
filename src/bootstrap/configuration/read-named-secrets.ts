import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { type SettingKey, type Settings } from './declarations';
import { connectionProblems } from './stack-checks';

/** Setting that names a secret → setting that the secret is read into, where its stack is chosen. */
const NAMED = [
  {
    name: 'ServiceBus:ConnectionStringSecret',
    value: 'ServiceBus:ConnectionString',
    chosen: (settings) => settings['Stack:Bus'] === 'service-bus',
  },
  {
    name: 'EventStore:ConnectionStringSecret',
    value: 'EventStore:ConnectionString',
    chosen: (settings) => settings['Stack:EventStore'] === 'event-store-db',
  },
  {
    name: 'Redis:UrlSecret',
    value: 'Redis:Url',
    chosen: (settings) => settings['Stack:Tokens'] === 'redis' || settings['Stack:Allowance'] === 'redis',
  },
] as const satisfies readonly {
  readonly name: SettingKey;
  readonly value: SettingKey;
  readonly chosen: (settings: Settings) => boolean;
}[];

/**
 * Settings with the secrets that they name, and all that is wrong with those; shards read theirs when they connect.
 * Nothing is read where nothing is named.
 */
export async function readNamedSecrets(
  settings: Settings,
  secrets: () => SecretSource,
): Promise<{ readonly settings: Settings; readonly problems: readonly string[] }> {
  const wanted = NAMED.filter(({ name, chosen }) => settings[name] !== '' && chosen(settings));
  if (wanted.length === 0) return { settings, problems: [] };
  const problems: string[] = [];
  const read = { ...settings };
  const source = secrets();
  for (const { name, value } of wanted) {
    try {
      read[value] = await source.secret(settings[name]);
    } catch (error) {
      if (!(error instanceof PortFailure)) throw error;
      problems.push(`${name}: ${error.message}`);
    }
  }
  const named = (key: SettingKey): string => NAMED.find(({ value }) => value === key)?.name ?? key;
  for (const { key, expected } of connectionProblems(read))
    problems.push(`${named(key)}: the secret it names: expected ${expected}`);
  return { settings: read, problems };
}

/** Reads one again while a process runs; undefined where the setting itself holds it. */
export function rereadOf(
  settings: Settings,
  value: (typeof NAMED)[number]['value'],
  secrets: SecretSource,
): (() => Promise<string>) | undefined {
  const name = settings[NAMED.find((each) => each.value === value)!.name];
  if (name === '') return undefined;
  return async () => {
    const secret = await secrets.secret(name);
    const [problem] = connectionProblems({ ...settings, [value]: secret }).filter(({ key }) => key === value);
    if (problem === undefined) return secret;
    throw new PortFailure(`the secret ${name} has changed: expected ${problem.expected}`, {
      code: 'not-authorized',
      retryable: false,
      facts: { secretName: name },
    });
  };
}
