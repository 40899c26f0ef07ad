import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ShardSeed } from '../../adapters/shared/shard-seed';
import { type SqliteManifest } from '../../adapters/sqlite/sqlite-manifest';
import { type Customer } from '../../domain/dp-record/dp-row';
import { type ShardName } from '../../domain/identifiers';
import { planBillers, sandboxConfigurationOf, secretsOf } from './demo-billers';
import { configurationText, type DemoFiles, type DemoPlan, demoSettings } from './demo-plan';
import { type DemoRecord, planRecords } from './demo-records';

/** Records in memory at a time. */
const BATCH = 1_000;

/** Every stack's shards can be seeded, in the form that the shared seed has. */
export interface SeededShard {
  readonly name: ShardName;
  seed(seed: ShardSeed): Promise<number>;
}

/**
 * Fills the manifest, then the shards, batch by batch, so that memory does not grow with the records; repeated after a
 * crash, it adds what is missing.
 */
export async function seedDemo(
  plan: DemoPlan,
  manifest: SqliteManifest,
  shards: readonly SeededShard[],
  onProgress: (records: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const billers = planBillers(plan);
  manifest.addBillers(billers);
  for (const shard of shards) {
    const settings = billers.filter((biller) => biller.shard === shard.name && biller.settings !== 'missing');
    await shard.seed({
      billers: settings.map((biller) => ({
        billerId: biller.billerId,
        dba: biller.name,
        active: biller.settings === 'active',
      })),
    });
  }
  let done = 0;
  for (const batch of batches(planRecords(plan, billers))) {
    if (signal.aborted) return;
    manifest.addRecords(batch.map((record) => record.manifest));
    for (const shard of shards) await shard.seed(seedOf(batch, shard.name));
    onProgress((done += batch.length));
  }
}

function* batches(records: Iterable<DemoRecord>): Generator<DemoRecord[]> {
  let batch: DemoRecord[] = [];
  for (const record of records) {
    batch.push(record);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function seedOf(batch: readonly DemoRecord[], shard: ShardName) {
  const records = batch.filter(({ biller }) => biller.shard === shard);
  const customers = new Map<string, Customer>();
  for (const { customer } of records) if (customer) customers.set(customer.customerId, customer);
  return {
    customers: [...customers.values()],
    payments: records.flatMap(({ payment }) => payment ?? []),
    rows: records.map(({ row }) => row),
  };
}

/** Profiles, secrets, settings and the sandbox's configuration: what a container is made from. */
export function writeDemoFiles(plan: DemoPlan, files: DemoFiles): void {
  const billers = planBillers(plan);
  mkdirSync(files.billers, { recursive: true });
  for (const { billerId, profile } of billers) writeJson(join(files.billers, `${billerId}.json`), profile);
  writeJson(files.secrets, secretsOf(billers), 0o600);
  writeJson(files.sandbox, sandboxConfigurationOf(plan, billers, files.ledger), 0o600);
  // The stack's connection strings may hold passwords.
  writeFileSync(files.configuration, configurationText(demoSettings(files, plan)), { mode: 0o600 });
}

function writeJson(file: string, value: unknown, mode = 0o644): void {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`, { mode });
}
