import { type CallError, type Failure, type Fingerprint } from '../../application/ports/failure-projection';
import { BILLER_WORDS, type BillerState } from '../../application/queries/biller-states';
import { type Instant } from '../../domain/instant';
import { type Lines } from './printer';
import { tableLines } from './table';
import { ageText, timeText, whoText } from './words';

/** What was not read is no nought. */
const known = (count: number | undefined): string => (count === undefined ? '?' : String(count));

/** `HTTP 503, unclear-answer (unknown)`. */
const errorText = ({ status, text, kind }: Fingerprint): string =>
  `${status === undefined ? '' : `HTTP ${status}, `}${text} (${kind})`;

const lastErrorText = (error: CallError | undefined, now: Instant): string =>
  error === undefined ? '-' : `${errorText(error)}, ${ageText(error.at, now)} ago`;

/** Those that are not well, worst first; the others in one line. */
export function billerStatesTable(states: readonly BillerState[], now: Instant): Lines {
  const ill = states.filter(({ word }) => word !== 'well');
  const well = states.length - ill.length;
  const right = (title: string) => ({ title, align: 'right' as const });
  return [
    ...(ill.length === 0
      ? []
      : tableLines(
          [
            { title: 'biller' },
            { title: 'state' },
            { title: 'for' },
            ...['waiting', 'oldest', 'in doubt', 'dead letters'].map(right),
            { title: 'last error' },
          ],
          ill.map((state) => [
            state.billerId, state.paused && state.word !== 'paused' ? `${state.word}, paused` : state.word,
            ageText(state.since, now), String(state.waiting), ageText(state.oldestWaitingAt, now), String(state.inDoubt),
            known(state.deadLettered), lastErrorText(state.health?.lastError, now),
          ]), // prettier-ignore
        )),
    well === 0 ? 'no biller is well' : `${ill.length > 0 ? '+ ' : ''}${well} ${well === 1 ? 'biller' : 'billers'} well`,
  ];
}

/** All that is known of one. */
export function billerInFull(
  state: BillerState,
  more: {
    readonly parked: readonly { readonly cause: string; readonly count: string }[];
    readonly failures: readonly Failure[];
  },
  now: Instant,
): Lines {
  const { health, paused, today } = state;
  const ends = Object.entries(today ?? {}).map(([status, count]) => `${count} ${status}`);
  return [
    `biller ${state.billerId}: ${BILLER_WORDS.includes(state.word) ? state.word : '?'}${state.since === undefined ? '' : ` since ${timeText(state.since)} (${ageText(state.since, now)})`}`,
    `  calls:        ${paused ? `paused by ${whoText(paused)} since ${timeText(paused.since)}: ${paused.reason}` : 'made'}; ${state.ratePerSecond === undefined ? "the profile's rate" : `${state.ratePerSecond} a second (ordered)`}`,
    `  last answer:  ${health?.lastAnswerAt === undefined ? 'none known' : `${timeText(health.lastAnswerAt)} (${ageText(health.lastAnswerAt, now)} ago)`}`,
    `  last error:   ${lastErrorText(health?.lastError, now)}${health && health.failuresInRow > 0 ? `; ${health.failuresInRow} failures in a row since ${timeText(health.failingSince!)}` : ''}`,
    `  open calls:   ${known(health?.openAttempts ?? 0)} (on their way, or in doubt)`,
    `  waiting:      ${state.waiting}${state.oldestWaitingAt === undefined ? '' : `, the oldest for ${ageText(state.oldestWaitingAt, now)}`}${state.types.length === 0 ? '' : ` (${state.types.map(({ dataType, waiting }) => `${dataType} ${waiting}`).join(', ')})`}`,
    `  parked:       ${more.parked.length === 0 ? 'none' : more.parked.map(({ cause, count }) => `${count} ${cause}`).join(', ')}`,
    `  in doubt:     ${state.inDoubt}`,
    `  dead letters: ${known(state.deadLettered)}`,
    `  of today:     ${today === undefined ? '?' : ends.length === 0 ? 'nothing' : ends.join(', ')}`,
    ...(more.failures.length === 0 ? [] : ['', ...failuresTable(more.failures, now)]),
  ];
}

export const failuresTable = (failures: readonly Failure[], now: Instant): Lines =>
  tableLines(
    [
      { title: 'biller' },
      { title: 'stage' },
      { title: 'kind' },
      { title: 'status', align: 'right' },
      { title: 'what' },
      { title: 'count', align: 'right' },
      { title: 'first seen' },
      { title: 'last seen' },
      { title: 'for example' },
    ],
    failures.map(({ billerId, stage, kind, status, text, count, firstAt, lastAt, examples }) => [
      billerId, stage, kind, status === undefined ? '-' : String(status), text, String(count),
      timeText(firstAt), `${ageText(lastAt, now)} ago`, examples[0] ?? '-',
    ]), // prettier-ignore
  );
