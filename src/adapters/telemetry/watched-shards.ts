import { SpanKind } from '@opentelemetry/api';
import { type Shard, type Shards } from '../../application/ports/shard';
import { type OutboxChunk } from '../../application/ports/shard-claims';
import { type Instruments } from '../../application/ports/telemetry';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { recordKey } from '../../domain/identifiers';
import { msOf } from '../../domain/instant';
import { type PlannedChunk } from '../../domain/policies/chunking';
import { delegate } from './delegate';
import { nowMs, rootOf } from './record-traces';
import { type SeenBefore } from './seen-before';
import { traceOfChunk, traceOfRecord } from './trace-ids';
import { type Visit, type Visits } from './visits';

export interface WatchedShardsParts {
  readonly telemetry: Instruments;
  readonly visits: Visits;
  readonly seen: SeenBefore;
  /** As the semantic conventions name the database. */
  readonly system: string;
}

/** The shards, with claims and results counted: a claim is where the trace of each of its records begins. */
export function watchedShards(shards: Shards, parts: WatchedShardsParts): Shards {
  const watched = new WeakMap<Shard, Shard>();
  const watch = (shard: Shard): Shard => {
    const known = watched.get(shard);
    if (known) return known;
    const made = watchedShard(shard, parts);
    watched.set(shard, made);
    return made;
  };
  return delegate(shards, {
    all: () => shards.all().map(watch),
    named: (name) => watch(shards.named(name)),
    ofBiller: async (biller) => {
      const shard = await shards.ofBiller(biller);
      return shard && watch(shard);
    },
  });
}

function watchedShard(shard: Shard, parts: WatchedShardsParts): Shard {
  const { telemetry, visits } = parts;
  const spanOf = (visit: Visit | undefined, operation: string, table: string) =>
    visit?.spans?.begin(`${operation} ${table}`, SpanKind.CLIENT, () => ({
      'db.system.name': parts.system,
      'db.namespace': shard.name,
      'db.operation.name': operation,
      'db.collection.name': table,
    }));

  return delegate(shard, {
    claim: async (request) => {
      const startMs = nowMs();
      let planned: readonly PlannedChunk[] = [];
      const claimed = await shard.claim({ ...request, plan: (rows) => (planned = request.plan(rows)) });
      for (const { dataType: data_type, billerId: biller, rows } of claimed) {
        telemetry.count('chunks', 1, { stage: 'claimed', data_type, biller });
        telemetry.count('records', rows, { stage: 'claimed', data_type, biller });
      }
      tellClaims(parts, claimed, planned, startMs);
      return claimed;
    },
    rowsOfChunk: async (chunkId) => {
      const span = spanOf(visits.of(chunkId), 'SELECT', 'datapump');
      const rows = await shard.rowsOfChunk(chunkId);
      if (span) span.endMs = nowMs();
      return rows;
    },
    findRow: async (dpId) => {
      const visit = visits.ofRow(dpId);
      const span = spanOf(visit, 'SELECT', 'datapump');
      const row = await shard.findRow(dpId);
      if (span) span.endMs = nowMs();
      if (row && visit?.record === recordKey(row.billerId, dpId)) visit.dueMs = dueMsOf(row);
      return row;
    },
    reconcile: async (result) => {
      const visit = visits.ofRow(result.dpId);
      const span = spanOf(visit, 'UPDATE', 'datapump');
      const written = await shard.reconcile(result);
      if (span) span.endMs = nowMs();
      if (visit && written === 'applied') {
        const labels = { data_type: visit.dataType, biller: visit.billerId };
        telemetry.count('records', 1, { stage: 'reconciled', ...labels });
        if (result.to === 'Delivered' && result.detail && visit.dueMs !== undefined)
          telemetry.measure('delivery.lag.seconds', (msOf(result.detail.recordedAt) - visit.dueMs) / 1_000, labels);
      }
      return written;
    },
  });
}

/** Where a shard does not say when its row was due, it was when it was written. */
const dueMsOf = ({ dueAt, createdAt }: DpRow): number =>
  Math.max(msOf(createdAt), dueAt === undefined ? 0 : msOf(dueAt));

/** One span per kept chunk, and one per kept record as the root of its trace, linked to its chunk's. */
function tellClaims(
  { visits, seen }: WatchedShardsParts,
  claimed: readonly OutboxChunk[],
  planned: readonly PlannedChunk[],
  startMs: number,
): void {
  const { traces } = visits;
  if (!traces) return;
  const endMs = nowMs();
  const root = { name: 'claim', kind: SpanKind.INTERNAL, parentId: undefined, startMs, endMs };
  // The chunks are handed out in the order in which they were planned.
  claimed.forEach(({ chunkId, billerId, dataType, rows, shard }, index) => {
    const chunk = traceOfChunk(chunkId);
    const attributes = {
      'datapump.chunk_id': chunkId,
      'datapump.biller_id': billerId,
      'datapump.data_type': dataType,
      'db.namespace': shard,
    };
    let isKept = traces.isKept(chunk.traceId);
    for (const dpId of planned[index]?.dpIds ?? []) {
      const record = recordKey(billerId, dpId);
      const own = traceOfRecord(record);
      if (!traces.isKept(own.traceId)) continue;
      isKept = true;
      traces.tell(own.traceId, {
        ...root,
        spanId: own.rootSpanId,
        attributes: { ...attributes, 'datapump.record': record },
        links: [rootOf(chunk)],
      });
    }
    if (!isKept) return;
    seen.keepChunk(chunkId);
    traces.tell(chunk.traceId, {
      ...root,
      spanId: chunk.rootSpanId,
      attributes: { ...attributes, 'datapump.rows': rows },
    });
  });
}
