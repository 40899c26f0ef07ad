import { chunkDecider, type ChunkCommand } from '../../domain/chunk/chunk.decider';
import { type ChunkCounts } from '../../domain/chunk/chunk.events';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type BillerId, type ChunkId } from '../../domain/identifiers';
import { type Instant, plusMs } from '../../domain/instant';
import { type ChunkMessage } from '../messaging/messages';
import { strangeTenant } from '../messaging/check-tenant';
import { findShard } from '../messaging/find-shard';
import { chunkAgain } from '../messaging/send-again';
import { type ReceivedMessage } from '../ports/message-bus';
import { type Shard } from '../ports/shard';
import { type DpRows } from '../ports/shard-rows';
import { type Settlement } from '../messaging/settlement';
import { awaitsFetch, type FetchChunkPorts, type FetchChunkSettings, fetchRows, type RowOutcome } from './fetch-rows';
import { PROFILE_LOOK_AGAIN_MS } from './discovery';
import { newTraceparent } from '../scanning/relay-outbox';
import { OUTBOX_TOPIC } from '../messaging/topology';
import { transact } from '../history/transact';

/** A chunk that failed this often is taken row by row, so that the row that breaks it can be rejected. */
const FAILURES_BEFORE_ROW_BY_ROW = 2;
/** A foreign chunk names a range, not a list: at most this many rows are taken from it at a time. */
const FOREIGN_ROWS_MAX = 5_000;

/**
 * One chunk message: read the rows, judge each, publish the valid ones, say so in the streams and the rows. Each step
 * may be repeated: a record that is known keeps its stored verdict, a repeated message id is dropped by the broker,
 * status writes name their predecessors.
 */
export function fetchChunk(ports: FetchChunkPorts, settings: FetchChunkSettings) {
  const limited = limitBillers(settings.concurrentBillersMax);
  return async (received: ReceivedMessage): Promise<Settlement> => {
    const checked = ports.contracts.chunk(received);
    if (!checked.valid) {
      return {
        settle: 'dead-letter',
        reason: 'InvalidContract',
        description: checked.problems.join('; ').slice(0, 1_000),
      };
    }
    const { message } = checked;
    const shard = await findShard(ports.shards, { billerId: message.billerId, shard: message.shard });
    if (!shard) {
      return {
        settle: 'dead-letter',
        reason: 'ShardUnknown',
        description: `no shard holds biller ${message.billerId}`,
      };
    }
    return limited(message.billerId, () => fetchOne(ports, settings, shard, message, received));
  };
}

async function fetchOne(
  ports: FetchChunkPorts,
  settings: FetchChunkSettings,
  shard: Shard,
  message: ChunkMessage,
  received: ReceivedMessage,
): Promise<Settlement> {
  const rowByRow = received.deliveryCount > FAILURES_BEFORE_ROW_BY_ROW;
  const profile = await ports.profiles.current(message.billerId);
  if (!profile) return waitForProfile(ports, message, received);
  const strange = await strangeTenant(ports.profiles, profile, received);
  if (strange !== undefined) return { settle: 'dead-letter', reason: 'InvalidContract', description: strange };
  const now = await ports.shardClock.atLeast(shard);
  const { chunkId, rows } =
    message.chunkId === undefined
      ? await foreignChunk(ports, shard, message, received)
      : { chunkId: message.chunkId, rows: await shard.rowsOfChunk(message.chunkId) };
  for (const what of rows.damaged ?? [])
    ports.telemetry.error('a row cannot be read, going on with the others', new Error(what), { chunkId });
  await recordOnChunk(ports, chunkId, { type: 'StartFetch', at: now, rowByRow }, now);
  const context = {
    shard,
    profile,
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
    await recordOnChunk(
      ports,
      chunkId,
      { type: 'RecordFailed', code: error instanceof Error ? error.name : 'unknown', at: now },
      now,
    );
    throw error;
  }
  const counts = countsOf(outcomes, rows);
  await recordOnChunk(ports, chunkId, { type: 'RecordPublished', counts, at: now }, now);
  await shard.markFetched(chunkId);
  ports.telemetry.info('chunk fetched', { chunkId, billerId: message.billerId, ...counts });
  return { settle: 'complete' };
}

/**
 * Without a profile no row can be judged, which is no fault of the rows. Rows that we claimed are Queued, and the sweep
 * sends their chunk again. Another team's chunk has no such keeper: it comes again later, under an id of the message in
 * hand, so that this may be repeated. Its lock's end tells the broker's time, late by minutes at most.
 */
async function waitForProfile(
  ports: FetchChunkPorts,
  message: ChunkMessage,
  received: ReceivedMessage,
): Promise<Settlement> {
  ports.telemetry.warn('a chunk waits, its biller has no valid profile', {
    billerId: message.billerId,
    messageId: received.messageId,
  });
  if (message.chunkId !== undefined) return { settle: 'complete' };
  const messageId = `wait-${ports.digest(`${received.messageId}#${received.sequenceNumber}`).slice(0, 32)}`;
  const traceparent = message.traceparent ?? newTraceparent(ports.chance);
  const scheduledFor = plusMs(received.lockedUntil, PROFILE_LOOK_AGAIN_MS);
  await ports.bus.send(OUTBOX_TOPIC, [chunkAgain(message, { messageId, traceparent, scheduledFor })]);
  return { settle: 'complete' };
}

/** Another team's chunk: its id is derived, its rows are found by range, and our claim is put on those not yet claimed. */
async function foreignChunk(
  ports: FetchChunkPorts,
  shard: Shard,
  message: ChunkMessage,
  received: ReceivedMessage,
): Promise<{ chunkId: ChunkId; rows: DpRows }> {
  const chunkId = `foreign-${ports.digest(`${message.messageId}#${received.sequenceNumber}`).slice(0, 32)}` as ChunkId;
  const found = await shard.rowsInRange({
    billerId: message.billerId,
    dataType: message.eventType,
    from: message.dpStart,
    to: message.dpEnd,
    max: FOREIGN_ROWS_MAX,
  });
  const unclaimed = found.filter((row) => row.status === 'New');
  await shard.adopt(
    unclaimed.map((row) => row.dpId),
    chunkId,
  );
  const rows = found.map((row): DpRow => (row.status === 'New' ? { ...row, status: 'Queued', chunkId } : row));
  return { chunkId, rows: Object.assign(rows, { damaged: found.damaged ?? [] }) };
}

/** The chunk's own history is information: that it was published before does not stop a second fetch. */
async function recordOnChunk(
  ports: FetchChunkPorts,
  chunkId: ChunkId,
  command: ChunkCommand,
  at: Instant,
): Promise<void> {
  await transact(async () => {
    const loaded = await ports.history.chunk(chunkId);
    const decision = chunkDecider.decide(command, loaded.state);
    if (decision.outcome === 'accepted') await ports.history.appendToChunk(chunkId, loaded, decision.events, at);
  });
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
    const tail = turn
      .catch(() => undefined)
      .finally(() => {
        if (tails.get(biller) === tail) tails.delete(biller);
        waiting.shift()?.();
      });
    tails.set(biller, tail);
    return turn;
  };
}
