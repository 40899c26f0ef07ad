import { type Clock } from '../../application/ports/clock';
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
    chosen: (settings) => settings['Stack:EventStore'] !== 'sqlite',
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

const LOOK_AGAIN_MS = 1_000;

/** For a source of secrets that is out of reach. */
export interface Patience {
  readonly clock: Clock;
  readonly waitMs: number;
  /** Told once for each secret that is waited for. */
  readonly onWait: (problem: string) => void;
}

export interface ReadSecrets {
  readonly settings: Settings;
  readonly problems: readonly string[];
  /** What may pass by itself, and did not in the time given. */
  readonly passing: readonly string[];
}

/**
 * Settings with the secrets that they name, and all that is wrong with those; shards read theirs when they connect.
 * Nothing is read where nothing is named.
 */
export async function readNamedSecrets(
  settings: Settings,
  secrets: () => SecretSource,
  patience?: Patience,
): Promise<ReadSecrets> {
  const wanted = NAMED.filter(({ name, chosen }) => settings[name] !== '' && chosen(settings));
  if (wanted.length === 0) return { settings, problems: [], passing: [] };
  const problems: string[] = [];
  const passing: string[] = [];
  const read = { ...settings };
  const source = secrets();
  for (const { name, value } of wanted) {
    try {
      read[value] = await patiently(() => source.secret(settings[name]), name, patience);
    } catch (error) {
      if (!(error instanceof PortFailure)) throw error;
      (error.retryable ? passing : problems).push(`${name}: ${error.message}`);
    }
  }
  const named = (key: SettingKey): string => NAMED.find(({ value }) => value === key)?.name ?? key;
  for (const { key, expected } of connectionProblems(read))
    problems.push(`${named(key)}: the secret it names: expected ${expected}`);
  return { settings: read, problems, passing };
}

async function patiently<T>(read: () => Promise<T>, name: string, patience: Patience | undefined): Promise<T> {
  const beganMs = patience?.clock.monotonicMs() ?? 0;
  for (let tries = 0; ; tries++) {
    try {
      return await read();
    } catch (error) {
      const isOver = patience === undefined || patience.clock.monotonicMs() - beganMs >= patience.waitMs;
      if (isOver || !(error instanceof PortFailure) || !error.retryable) throw error;
      if (tries === 0) patience.onWait(`${name}: ${error.message}`);
      await patience.clock.sleep(LOOK_AGAIN_MS);
    }
  }
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
