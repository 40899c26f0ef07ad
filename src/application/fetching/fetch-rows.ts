import { type BillerProfile } from '../../domain/biller/biller-profile';
import { dpRecordDecider, rowStatusOf, type Verdict } from '../../domain/dp-record/dp-record.decider';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type RecordKey, recordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type History, type Loaded } from '../history/history';
import { discoveryOf, judgedAlone, verdictOf } from './discovery';
import { firstLink, recordMessage } from '../messaging/message-chain';
import { type MessageContracts, messageOf, type ValidationErrorMessage } from '../messaging/messages';
import { tenantOf } from '../messaging/send-again';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type Chance } from '../ports/chance';
import { type Clock } from '../ports/clock';
import { type Digest } from '../ports/digest';
import { isDamage } from '../ports/failures';
import { type MessageBus, type OutgoingMessage } from '../ports/message-bus';
import { type Shard, type Shards } from '../ports/shard';
import { type StatusChange } from '../ports/shard-results';
import { type Telemetry } from '../ports/telemetry';
import { type ShardClock } from '../shard-clock';
import { rowResultOf } from '../delivering/row-result';
import { VALIDATION_ERRORS_TOPIC } from '../messaging/topology';
import { transact } from '../history/transact';

export interface FetchChunkPorts {
  readonly history: History;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly bus: MessageBus;
  readonly profiles: BillerProfiles;
  readonly contracts: MessageContracts;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly digest: Digest;
  readonly telemetry: Telemetry;
}

export interface FetchChunkSettings {
  readonly eventsTopic: string;
  /** Rows discovered, published and marked together. */
  readonly batchSize: number;
  /** Billers whose chunks one fetcher works on at once. */
  readonly concurrentBillersMax: number;
}

export interface FetchContext {
  readonly shard: Shard;
  readonly profile: BillerProfile;
  readonly traceparent: string;
  readonly rowByRow: boolean;
  readonly now: Instant;
}

/** What the fetcher does about one row, from its record's stream as it now stands. */
export type RowOutcome =
  | { readonly kind: 'published'; readonly row: DpRow }
  | { readonly kind: 'rejected'; readonly row: DpRow; readonly reasons: readonly string[] }
  | { readonly kind: 'skipped'; readonly row: DpRow }
  /** The record has its end, or is held, since an earlier fetch: only the row has to follow. */
  | { readonly kind: 'already-finished'; readonly row: DpRow; readonly record: DpRecord }
  /** `open`: the record has no end yet, and perhaps no message either: the one it gets lets a consumer end it. */
  | { readonly kind: 'identity-conflict'; readonly row: DpRow; readonly open: boolean };

export const awaitsFetch = (row: DpRow): boolean => row.status === 'Queued' || row.status === 'New';

/** Discover all, publish the valid ones, tell of the rejected ones, then mark the rows: in this order. */
export async function fetchRows(
  ports: FetchChunkPorts,
  settings: FetchChunkSettings,
  context: FetchContext,
  rows: readonly DpRow[],
): Promise<readonly RowOutcome[]> {
  const unfetched = rows.filter(awaitsFetch);
  const outcomes = context.rowByRow
    ? await oneByOne(ports, context, unfetched)
    : await Promise.all(
        unfetched.map(async (row) => discover(ports, context, row, verdictOf(row, context.profile, ports.digest))),
      ).catch((error: unknown) => {
        if (!isDamage(error)) throw error;
        // One of them: the others are not to wait for it.
        return oneByOne(ports, context, unfetched);
      });
  const messages = outcomes.flatMap((outcome) => (isOwedMessage(outcome) ? [publication(context, outcome.row)] : []));
  if (messages.length > 0) await ports.bus.send(settings.eventsTopic, messages);
  const notices = outcomes.flatMap((outcome) => noticeOf(context, outcome));
  if (notices.length > 0) await ports.bus.send(VALIDATION_ERRORS_TOPIC, notices);
  await context.shard.changeStatuses(outcomes.flatMap(statusChangeOf));
  for (const outcome of outcomes) {
    if (outcome.kind !== 'already-finished') continue;
    await context.shard.reconcile(rowResultOf(outcome.record, outcome.row.dpId, context.now));
  }
  return outcomes;
}

async function oneByOne(ports: FetchChunkPorts, context: FetchContext, rows: readonly DpRow[]): Promise<RowOutcome[]> {
  const outcomes: RowOutcome[] = [];
  for (const row of rows) {
    const verdict = judgedAlone(ports, row, () => verdictOf(row, context.profile, ports.digest));
    try {
      outcomes.push(await discover(ports, context, row, verdict));
    } catch (error) {
      if (!isDamage(error)) throw error;
      // No verdict can be read or written: the row stays Queued, and the sweep's message ends with the reason.
      ports.telemetry.error('a record cannot be read, going on with the others', error, {
        record: recordKey(row.billerId, row.dpId),
      });
    }
  }
  return outcomes;
}

/** A conflict without a stream behind it passes: the append is tried again, a bounded number of times, then the chunk. */
async function discover(
  ports: FetchChunkPorts,
  context: FetchContext,
  row: DpRow,
  verdict: Verdict,
): Promise<RowOutcome> {
  const key = recordKey(row.billerId, row.dpId);
  const command = { type: 'DiscoverDpRecord', discovery: discoveryOf(row, context.now), verdict } as const;
  const unknown: Loaded<DpRecord> = { state: dpRecordDecider.initialState, revision: 'new' };
  const decision = dpRecordDecider.decide(command, unknown.state);
  invariant(decision.outcome === 'accepted', `discovering the unknown record ${key} cannot be refused`);
  return transact(async (conflicts) => {
    const stored = conflicts > 0 ? await storedOutcome(ports, key, row, command) : undefined;
    if (stored) return stored;
    const { state } = await ports.history.appendToRecord(key, unknown, decision.events, context.now);
    return outcomeOf(row, verdict, state);
  });
}

/** A known record's stored verdict rules, unless the row now means another payment. Undefined: there is no stream yet. */
async function storedOutcome(
  ports: FetchChunkPorts,
  key: RecordKey,
  row: DpRow,
  command: Parameters<typeof dpRecordDecider.decide>[0],
): Promise<RowOutcome | undefined> {
  const { state } = await ports.history.record(key);
  // Without a verdict nothing is published.
  if (state.status === 'unknown') return undefined;
  const decision = dpRecordDecider.decide(command, state);
  if (decision.outcome === 'refused') {
    ports.telemetry.error('identity conflict: a known record points to another payment', undefined, { record: key });
    return { kind: 'identity-conflict', row, open: state.status === 'pending' };
  }
  if (state.status === 'withdrawn') {
    ports.telemetry.error(
      'a row came back whose record was withdrawn while it was gone, it is not delivered',
      undefined,
      { record: key },
    );
  }
  return rowStatusOf(state) === undefined
    ? { kind: 'published', row }
    : { kind: 'already-finished', row, record: state };
}

function outcomeOf(row: DpRow, verdict: Verdict, state: DpRecord): RowOutcome {
  if (state.status === 'rejected')
    return { kind: 'rejected', row, reasons: verdict.type === 'DpRecordRejected' ? verdict.data.reasons : [] };
  return state.status === 'skipped' ? { kind: 'skipped', row } : { kind: 'published', row };
}

const isOwedMessage = (outcome: RowOutcome): boolean =>
  outcome.kind === 'published' || (outcome.kind === 'identity-conflict' && outcome.open);

function publication(context: FetchContext, row: DpRow): OutgoingMessage {
  return recordMessage(messageOf({ ...row, shard: context.shard.name, occurredAt: row.createdAt }), {
    link: firstLink,
    tenant: tenantOf(row.billerId, context.profile),
    traceparent: context.traceparent,
    target: undefined,
  });
}

/** A person has to hear of them: a row that is gone for a while, as in a restored shard, is taken for withdrawn for ever. */
function reasonsOf(outcome: RowOutcome): readonly string[] | undefined {
  if (outcome.kind === 'rejected') return outcome.reasons;
  if (outcome.kind === 'identity-conflict') return ['identity-conflict'];
  return outcome.kind === 'already-finished' && outcome.record.status === 'withdrawn'
    ? ['withdrawn-before']
    : undefined;
}

function noticeOf(context: FetchContext, outcome: RowOutcome): OutgoingMessage[] {
  const reasons = reasonsOf(outcome);
  if (!reasons) return [];
  const { billerId, dpId, dataType } = outcome.row;
  const body: ValidationErrorMessage = {
    billerId,
    dpId,
    eventType: dataType,
    occurredAt: context.now,
    version: 1,
    messageId: `${billerId}:${dpId}:rejected`,
    reasons,
  };
  return [
    {
      messageId: body.messageId,
      body,
      correlationId: billerId,
      properties: { eventType: dataType, billerId, traceparent: context.traceparent },
    },
  ];
}

/** A consumer may already have written its result: every status names the predecessors it may replace. */
function statusChangeOf({ kind, row: { dpId } }: RowOutcome): StatusChange[] {
  switch (kind) {
    case 'published':
      return [{ dpId, to: 'Published', from: ['Queued'] }];
    case 'rejected':
      return [{ dpId, to: 'Rejected', from: ['Queued'] }];
    case 'skipped':
      return [{ dpId, to: 'Skipped', from: ['Queued'] }];
    case 'identity-conflict':
      return [{ dpId, to: 'Failed', from: ['Queued'] }];
    case 'already-finished':
      return [];
  }
}
