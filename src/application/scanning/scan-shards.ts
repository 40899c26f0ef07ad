import { type DataType } from '../../domain/biller/data-type';
import { type BillerId, type ChunkId } from '../../domain/identifiers';
import { planChunks } from '../../domain/policies/chunking';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type Chance } from '../ports/chance';
import { isNeverAllowed } from '../ports/failures';
import { type MessageBus } from '../ports/message-bus';
import { type Shard, type Shards } from '../ports/shard';
import { type Telemetry } from '../ports/telemetry';
import { type RelayOutbox } from './relay-outbox';
import { FETCHER_SUBSCRIPTION, OUTBOX_TOPIC } from '../messaging/topology';

export interface ScanShardsPorts {
  readonly shards: Shards;
  readonly profiles: BillerProfiles;
  readonly bus: MessageBus;
  readonly chance: Chance;
  readonly telemetry: Telemetry;
  readonly relayOutbox: RelayOutbox;
}

export interface ScanShardsSettings {
  /** Rows of other data types are left for whoever works on them; undefined: all are claimed. */
  readonly dataTypes?: readonly DataType[];
  readonly chunkSizeMax: number;
  readonly claimRowsMax: number;
  readonly concurrentShards: number;
  /** With so many chunks waiting for a fetcher, nothing more is claimed. */
  readonly waitingChunksMax: number;
}

export interface ScanResult {
  readonly chunks: number;
  readonly rows: number;
  readonly failedShards: number;
}

/** Claims of one pass over one shard; the rest waits for the next pass, so that no shard starves another. */
const CLAIMS_PER_PASS_MAX = 20;

/**
 * One pass: relay what an earlier pass left behind, claim what is eligible, relay that. A shard that fails is told
 * and skipped; the others go on. Throws where a server will never take what a pass must do.
 */
export function scanShards(ports: ScanShardsPorts, settings: ScanShardsSettings) {
  return async (signal?: AbortSignal): Promise<ScanResult> => {
    const billers = await liveBillers(ports.profiles);
    const results = await eachBounded(ports.shards.all(), settings.concurrentShards, (shard) =>
      scanOne(ports, settings, shard, billers, signal),
    );
    return results.reduce(
      (sum, one) => ({
        chunks: sum.chunks + one.chunks,
        rows: sum.rows + one.rows,
        failedShards: sum.failedShards + one.failedShards,
      }),
      { chunks: 0, rows: 0, failedShards: 0 },
    );
  };
}

async function liveBillers(profiles: BillerProfiles): Promise<readonly BillerId[]> {
  return (await profiles.all()).filter((profile) => profile.rollout === 'live').map((profile) => profile.billerId);
}

async function scanOne(
  ports: ScanShardsPorts,
  settings: ScanShardsSettings,
  shard: Shard,
  billers: readonly BillerId[],
  signal: AbortSignal | undefined,
): Promise<ScanResult> {
  let chunks = 0;
  let rows = 0;
  try {
    await ports.relayOutbox(shard);
    for (let claims = 0; claims < CLAIMS_PER_PASS_MAX && !signal?.aborted; claims++) {
      const { active } = await ports.bus.depth({ topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION });
      if (active >= settings.waitingChunksMax) break;
      const claimed = await shard.claim({
        billers,
        ...(settings.dataTypes && { dataTypes: settings.dataTypes }),
        rowsMax: settings.claimRowsMax,
        plan: (found) => planChunks(found, settings.chunkSizeMax),
        newChunkId: () => ports.chance.uuid() as ChunkId,
      });
      if (claimed.length === 0) break;
      await ports.relayOutbox(shard);
      chunks += claimed.length;
      rows += claimed.reduce((sum, chunk) => sum + chunk.rows, 0);
    }
    ports.telemetry.count('scanner.rows-claimed', rows, { shard: shard.name });
    return { chunks, rows, failedShards: 0 };
  } catch (error) {
    // No shard's fault, and no later pass can do better.
    if (isNeverAllowed(error)) throw error;
    ports.telemetry.error('failed to scan a shard', error, { shard: shard.name });
    return { chunks, rows, failedShards: 1 };
  }
}

export async function eachBounded<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array<Result>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index]!);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  return results;
}
