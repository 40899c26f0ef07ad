import { dpRecordDecider } from '../../domain/dp-record/dp-record.decider';
import { type Instant, plusMs } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { discoveryOf, judgedAlone, PROFILE_LOOK_AGAIN_MS, verdictOf } from '../fetching/discovery';
import { type DeliverRecordPorts } from './deliver-record.ports';
import { type RecordMoves } from './record-moves';
import { COMPLETED, deadLettered, lookAgain, type StepResult } from './step-result';
import { type Visit } from './visit';

/**
 * A record without a stream came from another team's publisher: found and judged here, as the fetcher would. Without a
 * profile nobody can judge it: that is not the row's fault, so it waits.
 */
export function discoverRecord(ports: DeliverRecordPorts, moves: RecordMoves) {
  return async (visit: Visit, now: Instant): Promise<StepResult> => {
    const { row, message, key, profile, record: unknown, shard } = visit;
    if (!row || row.billerId !== message.billerId)
      return deadLettered({
        reason: 'RecordUnknown',
        description: `${key} has neither a stream nor a row in shard ${shard.name}`,
      });
    if (!profile) {
      await moves.sendSuccessor(visit, plusMs(now, PROFILE_LOOK_AGAIN_MS));
      return COMPLETED;
    }
    const discovery = discoveryOf(row, now);
    const verdict = judgedAlone(ports, row, () => verdictOf(row, profile, ports.digest));
    const decision = dpRecordDecider.decide({ type: 'DiscoverDpRecord', discovery, verdict }, unknown.state);
    invariant(decision.outcome === 'accepted', `discovering the unknown record ${key} cannot be refused`);
    const record = await ports.history.appendToRecord(key, unknown, decision.events, now);
    if (row.status === 'New') await shard.changeStatuses([{ dpId: row.dpId, to: 'Queued', from: ['New'] }]);
    return lookAgain({ ...visit, record });
  };
}
