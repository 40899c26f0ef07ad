import { type Explanation } from '../../application/queries/explain-record';
import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { DOUBTED, PARKED, sentenceOf, wholeOr } from './event-sentences';
import { type Lines } from './printer';
import { moneyText, timeText } from './words';

const DAMAGED = 'cannot be told: members of what was read are damaged (docs/runbooks/history-tampered.md)';

/** A record's history as a timeline for people: no names and no account numbers, as in the events themselves. */
export function recordStory(explanation: Explanation): Lines {
  const { record, asOf, state, since, timeline, row, next } = explanation;
  const width = Math.max(0, ...timeline.map(({ by }) => by.length));
  const lines = timeline.flatMap(({ at, by, type, data, answer }) => [
    `${timeText(at)}  ${by.padEnd(width)}  ${sentenceOf(type, data)}`,
    ...(answer === undefined ? [] : [`${' '.repeat(timeText(at).length + width + 4)}the answer, masked: ${answer}`]),
  ]);
  return [
    `record  ${record}${asOf === undefined ? '' : ` as of ${timeText(asOf)}`}`,
    `state   ${wholeOr(DAMAGED, () => stateText(state))}${since === undefined ? '' : `, since ${timeText(since)}`}`,
    `row     ${row ? wholeOr(DAMAGED, () => rowText(row)) : 'there is none in the shards'}${asOf === undefined ? '' : ' (as it is now)'}`,
    '',
    ...(lines.length === 0 ? ['no events'] : lines),
    '',
    `next    ${wholeOr(DAMAGED, () => `${next.what}${next.at === undefined ? '' : ` at ${timeText(next.at)}`}`)}`,
  ];
}

function stateText(state: DpRecord): string {
  if (state.status === 'unknown') return 'not in the event store';
  const what = `${state.dataType}${state.amount ? `, ${moneyText(state.amount)}` : ''}`;
  switch (state.status) {
    case 'delivered':
      return `delivered by attempt ${state.attempt}${state.result === undefined ? '' : ` as ${state.result}`} (${what})`;
    case 'declined':
      return `declined in attempt ${state.attempt}${state.result === undefined ? '' : `: ${state.result}`} (${what})`;
    case 'in-doubt':
      return `in doubt over attempt ${state.attempt}: ${DOUBTED[state.cause]} (${what})`;
    case 'dead-lettered':
      return `dead-lettered: ${state.reason} (${what})`;
    case 'pending':
      return `${state.parked ? `waits: ${PARKED[state.parked]}` : 'on its way'} (${what})`;
    case 'rejected':
    case 'skipped':
    case 'withdrawn':
      return `${state.status} (${what})`;
  }
}

function rowText(row: DpRow): string {
  const details = row.details.map(
    ({ attempt, outcome, code }) => `attempt ${attempt} ${outcome}${code === undefined ? '' : ` (${code})`}`,
  );
  return [
    `${row.status} in ${row.shard}`,
    `created ${timeText(row.createdAt)}`,
    ...(row.payment ? [moneyText(row.payment.amount), `payment ${row.payment.paymentId}`] : []),
    `customer ${row.customerId}`,
    ...details,
  ].join(', ');
}
