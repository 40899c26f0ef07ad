import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePrivateFolder } from '../../adapters/system/private-folder';
import { type SandboxBiller } from '../../adapters/sandbox-biller/sandbox-configuration';
import { type FaultRates } from '../../adapters/sandbox-biller/sandbox-faults';
import { SqliteManifest } from '../../adapters/sqlite/sqlite-manifest';
import { SqliteShards } from '../../adapters/sqlite/sqlite-shards';
import { type DataType } from '../../domain/biller/data-type';
import { type Instant } from '../../domain/instant';
import { type DemoBiller, planBillers, sandboxConfigurationOf, secretsOf } from '../demo/demo-billers';
import { configurationText, type DemoFiles, type DemoPlan, demoSettings } from '../demo/demo-plan';
import { type DemoRecord, planRecords } from '../demo/demo-records';

export interface CrashDataSet {
  readonly plan: DemoPlan;
  readonly records: readonly DemoRecord[];
  readonly manifest: SqliteManifest;
}

export interface CrashDataOptions {
  readonly seed: number;
  readonly sandboxPort: number;
  readonly startedAt: Instant;
  readonly dataTypes: readonly DataType[];
  /** Records whose payments will be changed to what their biller does not take, once they are validated. */
  readonly changedPayments: number;
  readonly settings: CrashSettings;
  readonly faults?: FaultRates;
  readonly latencyMs?: SandboxBiller['latencyMs'];
  readonly quotas?: Readonly<Record<string, number>>;
  /** Of a call; below the bus' lock less permit wait and margin. */
  readonly timeoutMs?: number;
  /** Of every row; absent: when it was created. */
  readonly dueAt?: Instant;
}

/** Two requests in five meet a fault, so that retries, parks and doubts are reached with a few dozen records. */
const FAULTS: FaultRates = {
  latency: 0.02,
  'throttled-429': 0.05,
  'error-500-before-effect': 0.05,
  'error-500-after-effect': 0.07,
  'timeout-without-effect': 0.02,
  'timeout-with-effect': 0.03,
  'timeout-with-late-effect': 0.03,
  'connection-reset-before-effect': 0.05,
  'connection-reset-after-effect': 0.05,
  'malformed-body-after-effect': 0.05,
};
const TIMEOUT_MS = 1_900;
const QUARANTINE_MS = 1_000;
/** The sandbox holds an answer longer than anybody waits for it. */
const HANG_LONGER_MS = 500;
/** A record's first two requests may meet a fault: retries, doubts, resends without an answer, and then an end. */
const FAULTY_REQUESTS_MAX = 2;
const BILLERS = 8;
const SHARDS = 2;
/** So many are planned and a few taken of each kind: rare kinds must be there every time. */
const CANDIDATES = 4_000;
const QUOTAS: Readonly<Record<string, number>> = {
  rejected: 5,
  skipped: 3,
  declined: 3,
  deadLettered: 3,
  'delivered-keys': 18,
  'delivered-inquiry': 8,
  'delivered-both': 4,
  'delivered-neither': 8,
};
const NOT_TAKEN = 'Endorsement';

/** Short waits, so that a run ends in seconds. A lock outlives permit wait, call and margin: 7 > 0 + 1.9 + 5. */
export const crashSettings = (files: DemoFiles, { sweeping }: { readonly sweeping: boolean }): CrashSettings => ({
  ...demoSettings(files, { chaos: false, shards: SHARDS }),
  'Consumer:PermitWaitSeconds': 0,
  'Bus:LockSeconds': 7,
  ...(sweeping ? { 'Sweep:EverySeconds': 1, 'Sweep:AfterMinutes': 1 } : {}),
});

export type CrashSettings = Readonly<Record<string, unknown>>;

/** Profiles, secrets, the sandbox's configuration, manifest and shards of one run. */
export async function seedCrashTest(files: DemoFiles, options: CrashDataOptions): Promise<CrashDataSet> {
  const { seed, sandboxPort, startedAt } = options;
  const plan: DemoPlan = {
    shards: SHARDS,
    billers: BILLERS,
    records: CANDIDATES,
    seed,
    chaos: false,
    faults: true,
    sandboxPort,
    startedAt,
  };
  const hurried = hurriedProfile(options.timeoutMs ?? TIMEOUT_MS);
  const billers = planBillers(plan).map((biller) => ({ ...biller, profile: { ...biller.profile, ...hurried } }));
  const records = markChanging(select(planRecords(plan, billers), options), options.changedPayments);
  mkdirSync(files.billers, { recursive: true });
  writeFiles(plan, files, billers, options);
  const manifest = new SqliteManifest({ path: files.manifest });
  manifest.addBillers(billers);
  manifest.addRecords(records.map((record) => record.manifest));
  await fillShards(files, billers, records, options.dueAt);
  return { plan, records, manifest };
}

const hurriedProfile = (timeoutMs: number) => ({
  Timeout: `${timeoutMs}ms`,
  Quarantine: `${QUARANTINE_MS}ms`,
  RetrySchedule: { Kind: 'Fixed', Waits: ['200ms', '200ms', '300ms', '300ms', '500ms', '500ms'], MaxAge: '24h' },
});

function select(candidates: Iterable<DemoRecord>, { dataTypes, quotas = QUOTAS }: CrashDataOptions): DemoRecord[] {
  const left = new Map<string, number>();
  for (const [kind, quota] of Object.entries(quotas))
    for (const dataType of dataTypes) left.set(`${kind} ${dataType}`, Math.ceil(quota / dataTypes.length));
  const taken: DemoRecord[] = [];
  for (const record of candidates) {
    const kind = `${kindOf(record)} ${record.manifest.dataType}`;
    const wanted = left.get(kind) ?? 0;
    if (wanted === 0) continue;
    left.set(kind, wanted - 1);
    taken.push(record);
  }
  return taken;
}

function kindOf({ manifest: { end }, biller: { keys, inquiry } }: DemoRecord): string {
  if (end !== 'delivered') return end;
  return `delivered-${keys && inquiry ? 'both' : keys ? 'keys' : inquiry ? 'inquiry' : 'neither'}`;
}

/** Planned to be skipped, and seeded as if they were to be delivered. */
function markChanging(records: readonly DemoRecord[], count: number): readonly DemoRecord[] {
  let left = count;
  return records.map((record) => {
    const { payment, biller, manifest } = record;
    if (left === 0 || manifest.end !== 'delivered' || !payment || !biller.allowedInvoiceTypes) return record;
    left--;
    return { ...record, manifest: { ...manifest, end: 'skipped' as const } };
  });
}

/** What `markChanging` promised: the payments, and what they become. */
export const changedPayments = (records: readonly DemoRecord[]) =>
  records.flatMap(({ manifest, payment, biller }) =>
    manifest.end === 'skipped' &&
    payment &&
    payment.invoiceType !== NOT_TAKEN &&
    payment.achReturnCode?.startsWith('C') !== true
      ? [{ shard: biller.shard, paymentId: payment.paymentId, invoiceType: NOT_TAKEN }]
      : [],
  );

function writeFiles(plan: DemoPlan, files: DemoFiles, billers: readonly DemoBiller[], options: CrashDataOptions): void {
  const { faults = FAULTS, latencyMs = { median: 3, max: 300 }, timeoutMs = TIMEOUT_MS } = options;
  for (const { billerId, profile } of billers) writeJson(join(files.billers, `${billerId}.json`), profile);
  writeJson(files.secrets, secretsOf(billers), 0o600);
  const sandbox = sandboxConfigurationOf(plan, billers, files.ledger) as { readonly billers: readonly SandboxBiller[] };
  const faulty = sandbox.billers.map((biller) => ({
    ...biller,
    faults,
    latencyMs,
    quarantineMs: QUARANTINE_MS,
    hangMs: timeoutMs + HANG_LONGER_MS,
    faultyRequestsMax: FAULTY_REQUESTS_MAX,
  }));
  writeJson(files.sandbox, { ...sandbox, billers: faulty }, 0o600);
  writeFileSync(files.configuration, configurationText(options.settings));
}

async function fillShards(
  files: DemoFiles,
  billers: readonly DemoBiller[],
  records: readonly DemoRecord[],
  dueAt: Instant | undefined,
): Promise<void> {
  const folder = join(files.folder, 'shards');
  makePrivateFolder(folder);
  const shards = SqliteShards.open({ folder, names: [...new Set(billers.map(({ shard }) => shard))].sort() });
  try {
    for (const shard of shards.all()) {
      const here = records.filter(({ biller }) => biller.shard === shard.name);
      await shard.seed({
        billers: billers
          .filter((biller) => biller.shard === shard.name && biller.settings !== 'missing')
          .map(({ billerId, name, settings }) => ({ billerId, dba: name, active: settings === 'active' })),
        customers: here.flatMap(({ customer }) => customer ?? []),
        payments: here.flatMap(({ payment }) => payment ?? []),
        rows: here.map(({ row }) => (dueAt === undefined ? row : { ...row, dueAt })),
      });
    }
  } finally {
    await shards.close();
  }
}

function writeJson(file: string, value: unknown, mode = 0o644): void {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`, { mode });
}
