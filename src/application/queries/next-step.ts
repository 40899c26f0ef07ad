import { type DeliveryAttempt } from '../../domain/delivery-attempt/delivery-attempt.state';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type Instant } from '../../domain/instant';
import { doubtBeginsAt } from '../../domain/policies/in-doubt-resolution';
import { type BillerProfiles } from '../ports/biller-profiles';

/** What happens next, and when: `at` is always later than the moment looked at. Undefined: nothing by itself, or at once. */
export interface NextStep {
  readonly what: string;
  readonly at: Instant | undefined;
  /** It should have happened by then: a consumer still may, or the sweep brings it back. */
  readonly overdueSince?: Instant;
}

export interface Seen {
  readonly state: DpRecord;
  /** The newest one. */
  readonly attempt: DeliveryAttempt;
  readonly row: DpRow | undefined;
  readonly asOf: Instant | undefined;
  /** As of then, or now. */
  readonly moment: Instant;
}

export async function nextStep(profiles: BillerProfiles, seen: Seen): Promise<NextStep> {
  const { state, attempt, row, asOf, moment } = seen;
  switch (state.status) {
    case 'unknown':
      if (asOf !== undefined) return never('nothing was known of it then');
      return never(row ? await ofUnknown(profiles, row) : 'no such record is known');
    case 'in-doubt':
      return never(
        attempt.status === 'closed'
          ? `a consumer draws the consequence: attempt ${state.attempt} is closed as ${attempt.closing.as}`
          : `a person resolves attempt ${state.attempt} with evidence (datapump in-doubt resolve)`,
      );
    case 'dead-lettered':
      return never('a person redrives it (datapump deadletter redrive)');
    case 'delivered':
    case 'declined':
    case 'rejected':
    case 'skipped':
    case 'withdrawn':
      return never('nothing: the record has its end');
    case 'pending':
      if (attempt.status === 'open') {
        const { number, at } = await endOfAttempt(profiles, attempt, state.billerId);
        return by(
          `attempt ${number} is answered by then, or its doubt is resolved`,
          `attempt ${number} should have been answered`,
          at,
          moment,
        );
      }
      return state.parked
        ? by(
            `waiting (${state.parked}), looked at again`,
            `waiting (${state.parked}); it should have been looked at again`,
            state.dueAt,
            moment,
          )
        : by(
            `attempt ${state.nextAttempt} is made`,
            `attempt ${state.nextAttempt} should have been made`,
            state.dueAt,
            moment,
          );
  }
}

const never = (what: string): NextStep => ({ what, at: undefined });

/** `due`: what is said before that instant; `late`: after it. */
function by(due: string, late: string, at: Instant | undefined, moment: Instant): NextStep {
  if (at === undefined) return never(due);
  if (at > moment) return { what: due, at };
  return {
    what: `${late} by ${at.replace('T', ' ')}: a consumer does when it gets to it, else the sweep sends it again`,
    at: undefined,
    overdueSince: at,
  };
}

async function endOfAttempt(
  profiles: BillerProfiles,
  attempt: Extract<DeliveryAttempt, { status: 'open' }>,
  biller: Parameters<BillerProfiles['version']>[0],
): Promise<{ readonly number: number; readonly at: Instant }> {
  const profile = await profiles.version(biller, attempt.started.profileVersion);
  const at = profile
    ? doubtBeginsAt(attempt, { quarantineMs: profile.quarantineMs, capability: profile.capability })
    : attempt.ownedUntil;
  return { number: attempt.started.attempt, at };
}

/** A row without a history. Only a live profile makes the scanner claim it. */
async function ofUnknown(profiles: BillerProfiles, row: DpRow): Promise<string> {
  switch (row.status) {
    case 'New': {
      const profile = await profiles.current(row.billerId);
      if (profile?.rollout === 'live') return 'the scanner claims the row';
      const lacks = profile
        ? `the profile of biller ${row.billerId} is ${profile.rollout}, not live`
        : `biller ${row.billerId} has no profile`;
      return `nothing: ${lacks}, so no scan claims the row (datapump biller list)`;
    }
    case 'Queued':
      return 'the fetcher reads its chunk';
    default:
      return `nothing by itself: the row is ${row.status} and the event store knows nothing of it (docs/runbooks/history-behind.md)`;
  }
}
