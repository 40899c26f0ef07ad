import { foldAttempt, foldRecord, isFinal, type RawEvent } from './fold';
import { checkTries, type TryLimits } from './tries';
import { CANARY } from './watch';

/** The state of the world when nothing moves any more, as plain values. */
export interface FinalState {
  readonly records: readonly FinalRecord[];
  readonly streams: ReadonlyMap<string, readonly RawEvent[]>;
  readonly unpublishedChunks: number;
  readonly waitingMessages: number;
  readonly deadLetters: readonly {
    readonly messageId: string;
    readonly record: string | undefined;
    readonly reason: string | undefined;
  }[];
  readonly poisons: readonly string[];
  /** A message was taken from the broker, so a dead letter may be gone and a vanished row's message too. */
  readonly messagesWereLost: boolean;
  /** The event store was lost or restored, and these records' rows had their end by then: their streams need not tell it. */
  readonly historyWasLost: boolean;
  readonly overBefore: ReadonlySet<string>;
  /** Of a profile version: how late an effect may be, and how far its inquiry may lag. */
  readonly quarantineMs: (biller: string, profileVersion: string) => number;
  readonly tryLimits: (biller: string) => TryLimits;
}

export interface FinalRecord {
  readonly record: string;
  readonly eligible: boolean;
  /** Undefined: its owner took the row away. */
  readonly row:
    | { readonly status: string; readonly details: readonly { readonly attempt: number; readonly outcome: string }[] }
    | undefined;
  readonly effects: readonly {
    readonly minorUnits: number;
    readonly currency: string | undefined;
    readonly attempt: string;
  }[];
  /** The biller said no to it. */
  readonly refusedByBiller: boolean;
  /** Its owner used its id again for something else, of an amount beyond `USED_AGAIN_FROM`. */
  readonly usedAgain: boolean;
  /** How the row's own data lets it end without a call, by the scenario's own knowledge; undefined: it is sound. */
  readonly invalid: OwnFault | undefined;
}

/** `reason`: what its stream must give for it. */
export interface OwnFault {
  readonly ends: 'Rejected' | 'Skipped' | 'Failed';
  readonly reason: string;
}

export interface Verdict {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly differences: readonly string[];
  readonly other: readonly string[];
  readonly ends: Readonly<Record<string, number>>;
  /** Damage that the system itself told of. */
  readonly suspected: readonly string[];
}

/** Amounts of payments that took an id over; beyond every amount of a scenario. */
export const USED_AGAIN_FROM = 7_000_000;

const ENDS = new Set(['Delivered', 'Declined', 'Rejected', 'Skipped', 'Withdrawn', 'Failed', 'InDoubt']);

export function finalCheck(state: FinalState): Verdict {
  const lost: string[] = [];
  const doubled: string[] = [];
  const differences: string[] = [];
  const other: string[] = [];
  const suspected: string[] = [];
  const ends: Record<string, number> = {};
  const streamOf = (name: string): readonly RawEvent[] => state.streams.get(name) ?? [];

  for (const { record, eligible, row, effects, refusedByBiller, invalid, usedAgain } of state.records) {
    const folded = foldRecord(streamOf(`dpRecord-${record}`));
    const tell = (list: string[], what: string): number => list.push(`${record}: ${what}`);
    for (const fault of folded.faults) tell(other, fault);
    if (effects.length > 1) tell(doubled, `${effects.length} effects at the biller, its stream says ${folded.status}`);
    if (!eligible) {
      // Held with all others of a shard that may have been restored: nobody knows by whose leave it would have been claimed.
      const held = state.historyWasLost && row?.status === 'InDoubt';
      if ((row && row.status !== 'New' && !held) || effects.length > 0)
        tell(other, `of a biller that is not live, yet its row is ${row?.status} with ${effects.length} effects`);
      continue;
    }
    // What was spent may be lost with the history.
    if (!state.historyWasLost)
      checkTries(
        streamOf(`dpRecord-${record}`),
        (number) => foldAttempt(streamOf(`deliveryAttempt-${record}:${number}`)),
        state.tryLimits(record.slice(0, record.indexOf(':'))),
        (what) => tell(other, what),
      );
    checkOwnReason(streamOf(`dpRecord-${record}`), invalid, (what) => tell(lost, what));
    const status = row?.status ?? (folded.status === 'none' ? 'gone' : folded.status);
    ends[status] = (ends[status] ?? 0) + 1;
    if (row && !ENDS.has(row.status)) tell(lost, `its row stands at ${row.status}, its stream says ${folded.status}`);
    // A row that vanished before its message was published owes nothing; one that was being delivered still does.
    const begun = streamOf(`deliveryAttempt-${record}:1`).length > 0;
    if (!row && folded.status === 'pending' && begun && !state.messagesWereLost)
      tell(lost, 'its row is gone and its stream still pending');
    // A broker that lost the message took the last word of the stream with it: the row has the result, and the attempt.
    // So did a store that refused it for good: the message is among the dead letters, and a person's redrive brings it up.
    const setAside = state.deadLetters.some(
      (letter) => letter.record === record && letter.reason === 'ProcessingBroken',
    );
    const behind =
      (state.messagesWereLost || setAside) && row !== undefined && agreesWithAttempt(record, streamOf, row.status);
    // The fetcher ends a record in its stream and its row by itself; nobody confirms that in a third place.
    const confirmed =
      folded.reconciledAs === row?.status ||
      ((row?.status === 'Rejected' || row?.status === 'Skipped') && folded.reconciledAs === undefined);
    const unconfirmed = state.messagesWereLost && folded.reconciledAs === undefined;
    // A row that means something else than its record is set aside; the stream goes on to speak of what it was.
    const setApart =
      usedAgain !== undefined &&
      row?.status === 'Failed' &&
      (folded.status !== 'pending' || state.messagesWereLost || state.historyWasLost);
    const over = state.overBefore.has(record);
    if (row && !behind && !over && !setApart && (folded.status !== row.status || !(confirmed || unconfirmed))) {
      tell(
        differences,
        `its row says ${row.status}, its stream ${folded.status}, reconciled as ${folded.reconciledAs}`,
      );
    }
    if (row && !behind && !over && !setApart) checkDetails(row.details, folded, (what) => tell(differences, what));
    const discovered = streamOf(`dpRecord-${record}`).find(({ type }) => type === 'DpRecordDiscovered');
    const meant = (discovered?.data['amount'] as { readonly minorUnits: number } | undefined)?.minorUnits ?? 0;
    for (const { attempt, minorUnits, currency } of effects) {
      if (usedAgain && meant < USED_AGAIN_FROM && minorUnits >= USED_AGAIN_FROM)
        tell(other, `${attempt} posted ${minorUnits} of the payment that its id came to mean later`);
      const { closedAs, started } = foldAttempt(streamOf(attempt));
      // Its attempt is lost, and its number may stand for another one now.
      if (state.historyWasLost) continue;
      if (closedAs === 'not-executed')
        tell(other, `${attempt} had an effect at the biller and was closed as not executed`);
      const stated = started?.['amount'] as { readonly minorUnits: number; readonly currency: string } | undefined;
      if (minorUnits !== (stated?.minorUnits ?? 0) || currency !== stated?.currency)
        tell(
          other,
          `${attempt} posted ${minorUnits} ${currency}, its start says ${stated?.minorUnits} ${stated?.currency}`,
        );
    }
    if (folded.status === 'Declined' && !refusedByBiller) tell(lost, 'declined though the biller never said so');
    if (folded.status === 'Delivered' && effects.length === 0) tell(lost, 'delivered without an effect at the biller');
    // A row that its owner took away leaves nothing behind when its stream is lost too.
    const dutyGone = behind || (!row && (state.messagesWereLost || state.historyWasLost));
    if (
      effects.length > 0 &&
      folded.status !== 'Delivered' &&
      folded.status !== 'InDoubt' &&
      !dutyGone &&
      !setApart &&
      !(over && row?.status === 'Delivered')
    ) {
      tell(lost, `has an effect at the biller while its stream says ${folded.status}`);
    }
    if (
      row?.status === 'Failed' &&
      !setApart &&
      !state.messagesWereLost &&
      !state.deadLetters.some((letter) => letter.record === record)
    ) {
      tell(other, 'is dead-lettered and no dead letter of it exists, so that nobody can redrive it');
    }
    checkAttempts(
      record,
      state,
      folded,
      (what) => tell(other, what),
      () => suspected.push(record),
    );
  }
  if (state.unpublishedChunks > 0) other.push(`the outbox holds ${state.unpublishedChunks} unpublished chunks`);
  if (state.waitingMessages > 0) other.push(`${state.waitingMessages} messages are still waiting`);
  for (const poison of state.poisons) {
    if (!state.messagesWereLost && !state.deadLetters.some(({ messageId }) => messageId === poison))
      other.push(`the poison ${poison} is not among the dead letters`);
  }
  for (const [name, events] of state.streams)
    if (JSON.stringify(events).includes(CANARY)) other.push(`stream ${name} holds a secret`);
  return { lost, doubled, differences, other, ends, suspected };
}

/** Why a row was rejected, skipped or given up: only what is wrong with itself may end it, never a conflict or an outage. */
function checkOwnReason(
  events: readonly RawEvent[],
  invalid: OwnFault | undefined,
  tell: (what: string) => void,
): void {
  for (const { type, data } of events) {
    const given =
      type === 'DpRecordRejected'
        ? { ends: 'Rejected', reasons: data['reasons'] as readonly string[] }
        : type === 'DpRecordSkipped'
          ? { ends: 'Skipped', reasons: [String(data['constraint'])] }
          : type === 'DpRecordDeadLettered' && data['reason'] === 'CannotPrepare'
            ? { ends: 'Failed', reasons: ['CannotPrepare'] }
            : undefined;
    if (!given) continue;
    const own = given.ends === invalid?.ends && given.reasons.every((reason) => reason === invalid.reason);
    if (!own)
      tell(
        `ended as ${given.ends} for ${given.reasons.join(', ')}, while its own data ${invalid ? `is ${invalid.reason}` : 'is sound'}`,
      );
  }
}

/** The newest attempt was closed as the row says. */
function agreesWithAttempt(record: string, streamOf: (name: string) => readonly RawEvent[], status: string): boolean {
  let number = 1;
  while (streamOf(`deliveryAttempt-${record}:${number + 1}`).length > 0) number++;
  const { closedAs } = foldAttempt(streamOf(`deliveryAttempt-${record}:${number}`));
  return (closedAs === 'accepted' && status === 'Delivered') || (closedAs === 'declined' && status === 'Declined');
}

function checkDetails(
  details: readonly { readonly attempt: number; readonly outcome: string }[],
  folded: ReturnType<typeof foldRecord>,
  tell: (what: string) => void,
): void {
  const expected =
    folded.status === 'Delivered' || folded.status === 'Declined' ? [`${folded.attempt} ${folded.status}`] : [];
  const found = details.map(({ attempt, outcome }) => `${attempt} ${outcome}`);
  if (found.join() !== expected.join())
    tell(`DpDetail holds [${found.join()}], its stream folds to [${expected.join()}]`);
}

/** One closing each; the next only after the one before it was closed as not executed; one key for all. */
function checkAttempts(
  record: string,
  state: FinalState,
  folded: ReturnType<typeof foldRecord>,
  tell: (what: string) => void,
  suspect: () => void,
): void {
  let before: ReturnType<typeof foldAttempt> | undefined;
  const keys = new Set<unknown>();
  for (let number = 1; ; number++) {
    const events = state.streams.get(`deliveryAttempt-${record}:${number}`) ?? [];
    if (events.length === 0) break;
    const attempt = foldAttempt(events);
    for (const fault of attempt.faults) tell(`attempt ${number} ${fault}`);
    if (attempt.suspected) suspect();
    const quarantineMs = state.quarantineMs(
      record.slice(0, record.indexOf(':')),
      String(attempt.started?.['profileVersion']),
    );
    for (const { what, at, ownedUntil } of attempt.afterQuarantine) {
      if (Date.parse(at) < Date.parse(ownedUntil) + quarantineMs)
        tell(
          `${what} of attempt ${number} at ${at}, before the quarantine of ${quarantineMs} ms after ${ownedUntil} was over`,
        );
    }
    if (before && before.closedAs !== 'not-executed')
      tell(`attempt ${number} began though attempt ${number - 1} was ${before.closedAs ?? 'open'}`);
    if (before && before.closedAtPosition > events[0]!.position)
      tell(`attempt ${number} began before attempt ${number - 1} was closed`);
    const key = attempt.started?.['idempotencyKey'];
    // An attempt that is taken and closed in one append, to end a record without a call, has no request and no key.
    if (key !== 'none' && keys.add(key).size > 1) tell(`attempt ${number} has another idempotency key`);
    before = attempt;
  }
  if (isFinal(folded.status) && before && before.closedAs === undefined)
    tell(`ended as ${folded.status} with an open attempt`);
  if (folded.status === 'Failed' && before && before.closedAs !== 'not-executed')
    tell(`dead-lettered after an attempt that was ${before.closedAs ?? 'open'}`);
}
