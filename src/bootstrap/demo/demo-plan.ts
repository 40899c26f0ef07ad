import { join } from 'node:path';
import { UsageProblems } from '../command-line/problems';
import { type Instant } from '../../domain/instant';

/** What a demo is; stored in its manifest, so that a resumed one goes on with the same. */
export interface DemoPlan {
  readonly shards: number;
  readonly billers: number;
  readonly records: number;
  readonly seed: number;
  readonly chaos: boolean;
  readonly faults: boolean;
  /** How many calls a second each biller allows; none: more than any machine makes. */
  readonly perSecond?: number;
  readonly sandboxPort: number;
  readonly startedAt: Instant;
  /** Settings of the stack it runs on, beside its own; none: the embedded stack. */
  readonly stack?: Readonly<Record<string, unknown>>;
}

export type DemoChoices = Pick<
  DemoPlan,
  'shards' | 'billers' | 'records' | 'seed' | 'chaos' | 'faults' | 'perSecond' | 'stack'
>;

export const DEMO_DEFAULTS: DemoChoices = {
  shards: 4,
  billers: 12,
  records: 10_000,
  seed: 1,
  chaos: false,
  faults: true,
};

const LIMITS = {
  shards: [1, 64],
  billers: [1, 800],
  records: [1, 10_000_000],
  seed: [0, 2_147_483_647],
  perSecond: [1, 10_000],
} as const;

/** Reads the command line's texts; all problems at once. */
export function choicesOf(texts: {
  readonly shards: string;
  readonly billers: string;
  readonly records: string;
  readonly seed: string;
  readonly chaos?: boolean;
  readonly faults: string;
  readonly perSecond?: string;
}): DemoChoices {
  const problems: string[] = [];
  const whole = (name: keyof typeof LIMITS, text = '', option: string = name): number => {
    const [min, max] = LIMITS[name];
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      problems.push(`--${option}: found ${text}, expected a whole number from ${min} to ${max}`);
    return value;
  };
  const [shards, billers] = [whole('shards', texts.shards), whole('billers', texts.billers)];
  const [records, seed] = [whole('records', texts.records), whole('seed', texts.seed)];
  const pace = texts.perSecond === undefined ? {} : { perSecond: whole('perSecond', texts.perSecond, 'per-second') };
  if (shards > billers)
    problems.push(
      `--shards: found ${shards}, expected at most as many as --billers (${billers}), since a shard without a biller has nothing to do`,
    );
  if (!['on', 'off'].includes(texts.faults)) problems.push(`--faults: found ${texts.faults}, expected on or off`);
  if (problems.length > 0) throw new UsageProblems(problems);
  return { shards, billers, records, seed, chaos: texts.chaos ?? false, faults: texts.faults === 'on', ...pace };
}

export function demoFiles(folder: string) {
  return {
    folder,
    manifest: join(folder, 'manifest.sqlite'),
    billers: join(folder, 'billers'),
    secrets: join(folder, 'secrets.json'),
    sandbox: join(folder, 'sandbox.json'),
    ledger: join(folder, 'sandbox-ledger.sqlite'),
    configuration: join(folder, 'datapump.config.json'),
    processLog: join(folder, 'processes.log'),
    sandboxLog: join(folder, 'sandbox.log'),
    proofProjection: join(folder, 'proof-projection.sqlite'),
  };
}
export type DemoFiles = ReturnType<typeof demoFiles>;

/**
 * Settings of every process of a demo. Waits are short, so that a demo ends in seconds; what they wait for is the same
 * as in production. A lock outlives permit wait, call and margin: 12 > 4 + 2 + 5.
 */
export function demoSettings(
  files: DemoFiles,
  { chaos, shards, stack = {} }: Pick<DemoPlan, 'chaos' | 'shards' | 'stack'>,
) {
  return {
    ...stack,
    'Shards:Names': Array.from({ length: shards }, (_, index) => `Shard-${index + 1}`),
    'Data:Folder': files.folder,
    'Billers:Folder': files.billers,
    'Billers:AllowPlainLoopback': true,
    'Secrets:File': files.secrets,
    'Scanner:SleepSeconds': 1,
    'Fetcher:IdleWaitMaxSeconds': 1,
    'Consumer:PermitWaitSeconds': 4,
    'Bus:LockSeconds': 12,
    // A killed consumer costs each message in its hands one delivery: chaos may hit the same message many times.
    'Bus:DeliveryCountMax': chaos ? 200 : 10,
    'Log:Level': 'warn',
  } as const;
}

/** The same settings as environment variables, so that a file or variable of the surroundings cannot change a demo. */
export const environmentOf = (settings: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [
      key.replace(':', '__'),
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
  );

/** The same as a settings file, for looking into a demo with the operator's commands. */
export function configurationText(settings: Readonly<Record<string, unknown>>): string {
  const sections: Record<string, Record<string, unknown>> = {};
  for (const [key, value] of Object.entries(settings)) {
    const [section, name] = key.split(':') as [string, string];
    (sections[section] ??= {})[name] = value;
  }
  return `${JSON.stringify(sections, undefined, 2)}\n`;
}

/** A settings file's sections as `Section:Name`; what is unknown is told where the settings are read. */
export function flattened(sections: unknown): Readonly<Record<string, unknown>> | undefined {
  const isMap = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap(sections) || !Object.values(sections).every(isMap)) return undefined;
  return Object.fromEntries(
    Object.entries(sections as Record<string, Record<string, unknown>>).flatMap(([section, members]) =>
      Object.entries(members).map(([name, value]) => [`${section}:${name}`, value]),
    ),
  );
}
