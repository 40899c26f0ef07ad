import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SqliteManifest } from '../../adapters/sqlite/sqlite-manifest';
import { SqliteShards } from '../../adapters/sqlite/sqlite-shards';
import { type Customer } from '../../domain/dp-record/dp-row';
import { type ShardName } from '../../domain/identifiers';
import { type DemoBiller, planBillers, sandboxConfigurationOf, secretsOf } from './demo-billers';
import { configurationText, type DemoFiles, type DemoPlan, demoSettings } from './demo-plan';
import { type DemoRecord, planRecords } from './demo-records';

/** Records in memory at a time. */
const BATCH = 1_000;

/**
 * Writes everything a demo needs, the manifest first: profiles, secrets, the sandbox's configuration, shards. Batch by
 * batch, so that memory does not grow with the records; repeated after a crash, it adds what is missing.
 */
export async function seedDemo(
  plan: DemoPlan,
  files: DemoFiles,
  manifest: SqliteManifest,
  onProgress: (records: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const billers = planBillers(plan);
  writeFiles(plan, files, billers);
  manifest.addBillers(billers);
  const names = [...new Set(billers.map(({ shard }) => shard))].sort();
  mkdirSync(join(files.folder, 'shards'), { recursive: true });
  const shards = SqliteShards.open({ folder: join(files.folder, 'shards'), names });
  try {
    for (const shard of shards.all()) {
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
      for (const shard of shards.all()) await shard.seed(seedOf(batch, shard.name));
      onProgress((done += batch.length));
    }
  } finally {
    await shards.close();
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

function writeFiles(plan: DemoPlan, files: DemoFiles, billers: readonly DemoBiller[]): void {
  mkdirSync(files.billers, { recursive: true });
  for (const { billerId, profile } of billers) writeJson(join(files.billers, `${billerId}.json`), profile);
  writeJson(files.secrets, secretsOf(billers), 0o600);
  writeJson(files.sandbox, sandboxConfigurationOf(plan, billers, files.ledger), 0o600);
  writeFileSync(files.configuration, configurationText(demoSettings(files, plan)));
}

function writeJson(file: string, value: unknown, mode = 0o644): void {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`, { mode });
}
