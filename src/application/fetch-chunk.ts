import { chunkDecider, type ChunkCommand } from '../domain/chunk/chunk.decider';
import { type ChunkCounts } from '../domain/chunk/chunk.events';
import { type DpRow } from '../domain/dp-record/dp-row';
import { type BillerId, type ChunkId } from '../domain/identifiers';
import { type Instant } from '../domain/instant';
import { crashPoint } from './crash-point';
import { type ChunkMessage } from './messages';
import { VersionConflict } from './ports/failures';
import { type ReceivedMessage } from './ports/message-bus';
import { type Shard } from './ports/shard';
import { type Settlement } from './delivery';
import { awaitsFetch, type FetchChunkPorts, type FetchChunkSettings, fetchRows, type RowOutcome } from './fetch-rows';
import { newTraceparent } from './relay-outbox';

/** A chunk that failed this often is taken row by row, so that the row that breaks it can be rejected. */
const FAILURES_BEFORE_ROW_BY_ROW = 2;
/** A foreign chunk names a range, not a list: at most this many rows are taken from it at a time. */
const FOREIGN_ROWS_MAX = 5_000;
const CHUNK_RACES_MAX = 5;

/**
 * One chunk message: read the rows, judge each, publish the valid ones, say so in the streams and the rows. Each step
 * may be repeated: a record that is known keeps its stored verdict, a repeated message id is dropped by the broker,
 * status writes name their predecessors.
 */
export function fetchChunk(ports: FetchChunkPorts, settings: FetchChunkSettings) {
  const limited = limitBillers(settings.concurrentBillersMax);
  return async (received: ReceivedMessage): Promise<Settlement> => {
    const checked = ports.contracts.chunk(received.body);
    if (!checked.valid) {
      return { settle: 'dead-letter', reason: 'InvalidContract', description: checked.problems.join('; ').slice(0, 1_000) };
    }
    const { message } = checked;
    const shard = ports.shards.all().find(({ name }) => name === message.shard) ?? (await ports.shards.ofBiller(message.billerId));
    if (!shard) {
      return { settle: 'dead-letter', reason: 'ShardUnknown', description: `no shard holds biller ${message.billerId}` };
    }
    return limited(message.billerId, () => fetchOne(ports, settings, shard, message, received));
  };
}

async function fetchOne(ports: FetchChunkPorts, settings: FetchChunkSettings, shard: Shard, message: ChunkMessage, received: ReceivedMessage): Promise<Settlement> {
  const rowByRow = received.deliveryCount > FAILURES_BEFORE_ROW_BY_ROW;
  const now = await ports.shardClock.atLeast(shard);
  const { chunkId, rows } = message.chunkId === undefined
    ? await foreignChunk(ports, shard, message, received)
    : { chunkId: message.chunkId, rows: await shard.rowsOfChunk(message.chunkId) };
  crashPoint('fetcher.after-read');
  await recordOnChunk(ports, chunkId, { type: 'StartFetch', at: now, rowByRow }, now);
  crashPoint('fetcher.after-start-stated');
  const context = {
    shard,
    profile: await ports.profiles.current(message.billerId),
    traceparent: message.traceparent ?? newTraceparent(ports.chance),
    rowByRow,
    now,
  };
  const outcomes: RowOutcome[] = [];
  try {
    for (let start = 0; start < rows.length; start += settings.batchSize) {
      outcomes.push(...(await fetchRows(ports, settings, context, rows.slice(start, start + settings.batchSize))));
    }
  } catch (error) {
    await recordOnChunk(ports, chunkId, { type: 'RecordFailed', code: error instanceof Error ? error.name : 'unknown', at: now }, now);
    throw error;
  }
  const counts = countsOf(outcomes, rows);
  await recordOnChunk(ports, chunkId, { type: 'RecordPublished', counts, at: now }, now);
  crashPoint('fetcher.after-published-stated');
  await shard.markFetched(chunkId);
  crashPoint('fetcher.after-mark-fetched');
  ports.telemetry.count('fetcher.rows', rows.length);
  ports.telemetry.info('chunk fetched', { chunkId, billerId: message.billerId, ...counts });
  return { settle: 'complete' };
}

/** Another team's chunk: its id is derived, its rows are found by range, and our claim is put on those not yet claimed. */
async function foreignChunk(
  ports: FetchChunkPorts, shard: Shard, message: ChunkMessage, received: ReceivedMessage,
): Promise<{ chunkId: ChunkId; rows: readonly DpRow[] }> {
  const chunkId = `foreign-${ports.digest(`${message.messageId}#${received.sequenceNumber}`).slice(0, 32)}` as ChunkId;
  const found = await shard.rowsInRange({
    billerId: message.billerId, dataType: message.eventType, from: message.dpStart, to: message.dpEnd, max: FOREIGN_ROWS_MAX,
  });
  const unclaimed = found.filter((row) => row.status === 'New');
  await shard.adopt(unclaimed.map((row) => row.dpId), chunkId);
  const rows = found.map((row): DpRow => (row.status === 'New' ? { ...row, status: 'Queued', chunkId } : row));
  return { chunkId, rows };
}

/** The chunk's own history is information: that it was published before does not stop a second fetch. */
async function recordOnChunk(ports: FetchChunkPorts, chunkId: ChunkId, command: ChunkCommand, at: Instant): Promise<void> {
  for (let races = 0; races < CHUNK_RACES_MAX; races++) {
    const loaded = await ports.history.chunk(chunkId);
    const decision = chunkDecider.decide(command, loaded.state);
    if (decision.outcome === 'refused' || decision.events.length === 0) return;
    try {
      await ports.history.appendToChunk(chunkId, loaded, decision.events, at);
      return;
    } catch (error) {
      if (!(error instanceof VersionConflict)) throw error;
    }
  }
}

/** Rows that an earlier fetch dealt with before it died are counted by what their status says of it. */
function countsOf(outcomes: readonly RowOutcome[], rows: readonly DpRow[]): ChunkCounts {
  const count = (kind: RowOutcome['kind']): number => outcomes.filter((outcome) => outcome.kind === kind).length;
  const fetched = rows.filter((row) => !awaitsFetch(row));
  const rejected = fetched.filter(({ status }) => status === 'Rejected').length;
  const skipped = fetched.filter(({ status }) => status === 'Skipped').length;
  return {
    published: count('published') + fetched.length - rejected - skipped,
    rejected: count('rejected') + rejected,
    skipped: count('skipped') + skipped,
    alreadyFinished: count('already-finished'),
  };
}

/** At most `billersMax` billers at a time; chunks of one biller go one after the other. */
function limitBillers(billersMax: number) {
  const tails = new Map<BillerId, Promise<unknown>>();
  const waiting: (() => void)[] = [];
  return async <Result>(biller: BillerId, work: () => Promise<Result>): Promise<Result> => {
    while (!tails.has(biller) && tails.size >= billersMax) await new Promise<void>((resolve) => waiting.push(resolve));
    const turn = (tails.get(biller) ?? Promise.resolve()).then(work, work);
    const tail = turn.catch(() => undefined).finally(() => {
      if (tails.get(biller) === tail) tails.delete(biller);
      waiting.shift()?.();
    });
    tails.set(biller, tail);
    return turn;
  };
}
