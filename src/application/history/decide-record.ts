import { dpRecordDecider, type DpRecordCommand } from '../../domain/dp-record/dp-record.decider';
import { type DpRecordEvent } from '../../domain/dp-record/dp-record.events';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { InvariantViolation } from '../../domain/invariant';
import { type History, type Loaded } from './history';

/**
 * Decides one command after the other on the record as read and appends all their events at once. Refusals are ours: the
 * caller chose the commands for this very state.
 */
export async function decideRecord(
  history: History,
  { key, record }: { readonly key: RecordKey; readonly record: Loaded<DpRecord> },
  commands: readonly DpRecordCommand[],
  at: Instant,
): Promise<Loaded<DpRecord>> {
  let { state } = record;
  const events: DpRecordEvent[] = [];
  for (const command of commands) {
    const decision = dpRecordDecider.decide(command, state);
    if (decision.outcome === 'refused') {
      throw new InvariantViolation(
        `record ${key} refused ${command.type}: ${decision.refusal} (status ${state.status})`,
      );
    }
    events.push(...decision.events);
    state = decision.events.reduce(dpRecordDecider.evolve, state);
  }
  return history.appendToRecord(key, record, events, at);
}
