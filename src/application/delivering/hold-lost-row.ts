import { deliveryAttemptDecider } from '../../domain/delivery-attempt/delivery-attempt.decider';
import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { dpRecordDecider, isFinished } from '../../domain/dp-record/dp-record.decider';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type ProfileVersion, type RecordKey, recordKey } from '../../domain/identifiers';
import { type Instant, plusMs } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { idempotencyKeyOf } from '../../domain/policies/idempotency-key';
import { discoveryOf } from '../fetching/discovery';
import { type History, type Loaded } from '../history/history';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type Digest } from '../ports/digest';
import { type Shard } from '../ports/shard';
import { rowResultOf } from './row-result';
import { transact } from '../history/transact';

export interface HoldLostRowPorts {
  readonly history: History;
  readonly profiles: BillerProfiles;
  readonly digest: Digest;
}

/**
 * held: in doubt, for a person. finished: what is left of the history tells its end, the row follows. known: its newest
 * attempt has its answer, a consumer concludes. another: the id now means another payment; whoever meets it tells so.
 */
export type HeldRow = 'held' | 'finished' | 'known' | 'another';

/** No request was built: nobody calls under the start that stands for what is lost. */
const NO_REQUEST = 'none';
/** A record with more attempts than this is a defect. */
const ATTEMPTS_MAX = 2_000;

/**
 * A row that was claimed under a history that is lost: nobody knows what was called for. It is held under an attempt of
 * its own, above every one that anything still tells of, so that a person can close it and numbers never restart. First
 * the attempt, then the record, then the row: repeated after a crash anywhere, it ends in the same place.
 */
export async function holdLostRow(ports: HoldLostRowPorts, shard: Shard, row: DpRow, now: Instant): Promise<HeldRow> {
  const key = recordKey(row.billerId, row.dpId);
  return transact(() => holdOnce(ports, shard, row, key, now));
}

async function holdOnce(
  ports: HoldLostRowPorts,
  shard: Shard,
  row: DpRow,
  key: RecordKey,
  now: Instant,
): Promise<HeldRow> {
  let record = await ports.history.record(key);
  if (isFinished(record.state)) {
    await shard.reconcile(rowResultOf(record.state, row.dpId, now));
    return 'finished';
  }
  const found = await attemptToHold(ports, key, record.state, row);
  if (found.attempt.state.status === 'closed') return 'known';
  const decision = dpRecordDecider.decide(
    { type: 'HoldUnderLostHistory', discovery: discoveryOf(row, now), attempt: found.number },
    record.state,
  );
  if (decision.outcome === 'refused') {
    invariant(
      decision.refusal === 'identity-conflict',
      `record ${key} refuses to be held at attempt ${found.number}: ${decision.refusal}`,
    );
    return 'another';
  }
  if (found.attempt.state.status === 'absent') await startForTheLost(ports, key, found, row, now);
  record = await ports.history.appendToRecord(key, record, decision.events, now);
  await shard.reconcile(rowResultOf(record.state, row.dpId, now));
  const confirmed = dpRecordDecider.decide({ type: 'ConfirmReconciled', status: 'InDoubt' }, record.state);
  if (confirmed.outcome === 'accepted') await ports.history.appendToRecord(key, record, confirmed.events, now);
  return 'held';
}

interface FoundAttempt {
  readonly number: number;
  readonly attempt: Loaded<DeliveryAttempt>;
}

/** The first that is not closed as without effect, from the newest on of which the stream or the row tells. */
async function attemptToHold(
  { history }: HoldLostRowPorts,
  key: RecordKey,
  state: DpRecord,
  row: DpRow,
): Promise<FoundAttempt> {
  const told = Math.max(0, ...row.details.map(({ attempt }) => attempt)) + 1;
  const first = Math.max(told, state.status === 'unknown' ? 1 : state.nextAttempt);
  for (let number = first; number < first + ATTEMPTS_MAX; number++) {
    const attempt = await history.attempt(key, number);
    if (attempt.state.status !== 'closed') return { number, attempt };
    if (attempt.state.closing.as === 'accepted' || attempt.state.closing.as === 'declined') return { number, attempt };
  }
  invariant(false, `record ${key} has more than ${ATTEMPTS_MAX} attempts`);
}

/** Its key may have been used since the row arrived: nothing may rely on its being remembered from now on. */
async function startForTheLost(
  ports: HoldLostRowPorts,
  key: RecordKey,
  { number, attempt }: FoundAttempt,
  row: DpRow,
  now: Instant,
): Promise<void> {
  const profile = await ports.profiles.current(row.billerId);
  const decision = deliveryAttemptDecider.decide(
    {
      type: 'StartAttempt',
      start: {
        billerId: row.billerId,
        dpId: row.dpId,
        attempt: number,
        at: now,
        // A call may have left a moment ago: its effect may be as late as the quarantine after its own time.
        notAfter: plusMs(now, profile?.timeoutMs ?? 0),
        idempotencyKey: idempotencyKeyOf(key, ports.digest),
        requestHash: NO_REQUEST,
        profileVersion: profile?.version ?? (NO_REQUEST as ProfileVersion),
        keyFirstUsedAt: row.createdAt,
        underLostHistory: true,
        ...(row.payment === undefined ? {} : { amount: row.payment.amount }),
      },
    },
    attempt.state,
  );
  invariant(decision.outcome === 'accepted', `attempt ${number} of ${key} was absent and refused to start`);
  await ports.history.appendToAttempt(key, number, attempt, decision.events, now);
}
