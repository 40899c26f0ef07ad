import { type Lines } from '../../adapters/command-line/printer';
import { tableLines } from '../../adapters/command-line/table';
import { ageText } from '../../adapters/command-line/words';
import { type MessageContracts } from '../../application/messaging/messages';
import { type PeekedMessage } from '../../application/ports/message-bus';
import { billersNamedBy, type LetterCount, type LetterKind } from '../../application/queries/list-dead-letters';
import { type Instant } from '../../domain/instant';
import { maskCardData } from '../../domain/policies/card-data';
import { messageIdText, messageText } from './message-text';
import { counted } from './operator-output';

export interface Letter {
  readonly type: LetterKind;
  /** A record's key where one can be read; else nothing. */
  readonly record: string | undefined;
  readonly messageId: string;
  readonly billerId: string;
  readonly reason: string;
  readonly description: string;
  readonly deadSince: Instant;
}

/** A dead letter may be anything that was ever sent: what cannot be read is shown by its message id. */
export function letterOf(type: LetterKind, message: PeekedMessage, contracts: MessageContracts): Letter {
  const checked = type === 'Chunks' || type === 'Notices' ? undefined : contracts.record(message);
  const { traceId } = (typeof message.body === 'object' && message.body !== null ? message.body : {}) as {
    readonly traceId?: unknown;
  };
  return {
    type,
    record: checked?.valid ? checked.message.traceId : typeof traceId === 'string' ? messageIdText(traceId) : undefined,
    messageId: messageIdText(message.messageId),
    billerId: messageIdText(billersNamedBy(message)[0] ?? '-'),
    reason: messageText(message.deadLetterReason ?? '-'),
    description: maskCardData(message.deadLetterDescription ?? '-'),
    deadSince: message.enqueuedAt,
  };
}

const DESCRIPTION_WIDTH_MAX = 80;
const shortened = (text: string): string =>
  text.length > DESCRIPTION_WIDTH_MAX ? `${text.slice(0, DESCRIPTION_WIDTH_MAX - 1)}…` : text;
const namedBy = ({ record, type, messageId }: Letter): string =>
  record ?? (type === 'Chunks' || type === 'Notices' ? messageId : `(message ${messageId})`);

export const lettersTable = (letters: readonly Letter[], readAt: Instant): Lines =>
  tableLines(
    ['record', 'type', 'reason', 'enqueued', 'description'].map((title) => ({
      title: title === 'record' && letters.every(({ record }) => record === undefined) ? 'message' : title,
    })),
    letters.map((letter) => [
      namedBy(letter),
      letter.type,
      letter.reason,
      `${ageText(letter.deadSince, readAt)} ago`,
      shortened(letter.description),
    ]),
  );

export const countsTable = (counts: readonly LetterCount[]): Lines =>
  tableLines(
    [{ title: 'type' }, { title: 'biller' }, { title: 'reason' }, { title: 'dead letters', align: 'right' }],
    counts.map(({ kind, billerId, reason, count }) => [kind, billerId, reason, String(count)]),
  );

/** What an operator does next about what is listed; each names a command that works for these letters. */
export function nextSteps(letters: readonly Pick<Letter, 'type'>[]): readonly string[] {
  const has = (wanted: (type: LetterKind) => boolean): boolean => letters.some(({ type }) => wanted(type));
  return [
    ...(has((type) => type !== 'Chunks' && type !== 'Notices')
      ? ['next: datapump record explain <record>, mend the cause (docs/runbooks/dead-letters.md), then: datapump deadletter redrive --type <type> --record <record>'] // prettier-ignore
      : []),
    ...(has((type) => type === 'Chunks')
      ? ['next: mend what the description says, then: datapump deadletter redrive --type chunks --message <message>']
      : []),
    ...(has((type) => type === 'Notices') ? ['next: datapump rejected list'] : []),
  ];
}

/** Said of every look that a bound ended, so that nobody takes a part for the whole. */
export const partText = (
  parts: readonly { readonly type: LetterKind; readonly lookedAt: number }[],
): readonly string[] =>
  parts.map(
    ({ type, lookedAt }) =>
      `looked at the first ${counted(lookedAt, 'dead letter')} of ${type}, more may lie behind: --max, --biller or --summary`,
  );
