import { type DpRecordCommand, isAnother } from '../../domain/dp-record/dp-record.decider';
import { type KnownDpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { allowedPredecessors } from '../../domain/dp-record/row-status';
import { type Instant, msBetween, plusMs } from '../../domain/instant';
import { decideRecord } from '../history/decide-record';
import { type ChainLink, linkOf, nextHop } from '../messaging/message-chain';
import { recordAgain, traceparentOf } from '../messaging/send-again';
import { type Shard } from '../ports/shard';
import { type RowResult } from '../ports/shard-results';
import { type Gate } from './biller-gate';
import { claimWithoutCall, type WhyNotSent } from './claim-attempt';
import { type DeliverRecordPorts, type DeliverRecordSettings } from './deliver-record.ports';
import { COMPLETED, type StepResult } from './step-result';
import { type KnownVisit, type Visit } from './visit';

/** What every step may do with the record in hand. */
export interface RecordMoves {
  /** Decides and appends, all at once; the same visit otherwise. */
  decide(visit: Visit, commands: readonly DpRecordCommand[], at: Instant): Promise<Visit>;
  /** Owns the next attempt and closes it as never sent, before the record is ended without a call. */
  claim<Of extends KnownVisit>(visit: Of, why: WhyNotSent, at: Instant): Promise<Of>;
  /**
   * What the stream says, to the row. One whose id has come to mean something else gets no result of what it was: it is
   * set aside for a person and is no row of this record any more; the row of another biller is left alone.
   */
  writeRow(visit: Visit, result: RowResult): ReturnType<Shard['reconcile']>;
  /** Waits for a gate or an owner: told once per cause, then a successor. No attempt and no delivery count is spent. */
  park(visit: Visit, gate: Gate, now: Instant): Promise<StepResult>;
  /**
   * Accepted by the broker when this returns. `until` is by the shard's clock; the broker gets the same wait on its own
   * clock, which the lock of the message in hand tells: by the clock of this process, a broker that is ahead would hand
   * the successor out at once, and hops would spin until `until`. The row's sweep is put off as long.
   */
  sendSuccessor(visit: Visit, until: Instant, link?: ChainLink): Promise<void>;
}

/** A successor is never scheduled nearer than this, so that a skewed broker clock cannot make hops spin. */
const SUCCESSOR_WAIT_MIN_MS = 200;

const isOfAnother = (row: DpRow, record: KnownDpRecord): boolean =>
  row.billerId !== record.billerId || isAnother(row, record);

export function recordMoves(ports: DeliverRecordPorts, settings: DeliverRecordSettings): RecordMoves {
  const brokerNow = ({ received, receivedAtMs }: Visit): Instant =>
    plusMs(received.lockedUntil, ports.clock.monotonicMs() - receivedAtMs - settings.lockMs);

  const decide: RecordMoves['decide'] = async (visit, commands, at) => ({
    ...visit,
    record: await decideRecord(ports.history, visit, commands, at),
  });

  const sendSuccessor: RecordMoves['sendSuccessor'] = async (visit, until, link) => {
    const { key, message, received, shard, profile } = visit;
    const waitMs = Math.max(SUCCESSOR_WAIT_MIN_MS, msBetween(await ports.shardClock.atLeast(shard), until));
    const successor = recordAgain(settings, message, profile, {
      link: link ?? nextHop(linkOf(key, received)),
      traceparent: traceparentOf(received),
      scheduledFor: plusMs(brokerNow(visit), waitMs),
    });
    await ports.bus.send(settings.eventsTopic, [successor]);
    await shard.noteProgress(message.dpId, until);
  };

  return {
    decide,
    sendSuccessor,
    async claim(visit, why, at) {
      const { key, record, attempt, profile } = visit;
      const hand = { key, record: record.state, attempt };
      return { ...visit, attempt: await claimWithoutCall(ports.history, hand, profile?.version, at, why) };
    },
    async writeRow({ key, row, shard, record: { state: record } }, result) {
      if (!row || record.status === 'unknown' || !isOfAnother(row, record)) return shard.reconcile(result);
      const why = 'identity conflict: the row of a known record means something else';
      ports.telemetry.error(why, undefined, { record: key });
      if (row.billerId === record.billerId)
        await shard.reconcile({ dpId: row.dpId, to: 'Failed', from: allowedPredecessors('Failed') });
      return 'row-missing';
    },
    async park(visit, { cause, until }, now) {
      const parked = await decide(visit, [{ type: 'ParkDpRecord', cause, until }], now);
      await sendSuccessor(parked, until);
      return COMPLETED;
    },
  };
}
