import { BILLER_KINDS, type BillerKind, realRules, RETENTION_S, type Rules } from './rules';
import { WHOLE_RUN_MS } from '../support/until';
import { explore } from './search';

const STATES_MAX = 400_000;
const report = (line: string): void => void process.stdout.write(`      ${line}\n`);

/** What may go wrong in one run: faults (of calls, consumers, locks, broker, row), pauses of a busy consumer, acts of a person. */
const TROUBLES = [
  { faults: 1, pauses: 0, operatorActs: 1 },
  { faults: 0, pauses: 1, operatorActs: 1 },
  { faults: 1, pauses: 1, operatorActs: 0 },
  { faults: 2, pauses: 0, operatorActs: 0 },
  { faults: 0, pauses: 2, operatorActs: 0 },
  { faults: 1, pauses: 1, operatorActs: 1 },
];
const CASES = BILLER_KINDS.flatMap((kind) => TROUBLES.map((troubles) => ({ kind, ...troubles })));

describe('the delivery protocol, two consumers, every interleaving, neither doubles nor loses nor strands a record', () => {
  it.each(CASES)(
    'at a biller that offers $kind, with $faults faults, $pauses pauses, $operatorActs acts of a person',
    ({ kind, ...troubles }) => {
      const { states, ends, counterexample } = explore(realRules, kind, { ...troubles, statesMax: STATES_MAX });
      report(`${kind}, ${JSON.stringify(troubles)}: ${states} states, ${ends} ends`);
      expect(counterexample).toBeUndefined();
      expect(ends).toBeGreaterThan(5);
    },
    WHOLE_RUN_MS,
  );

  it.each(BILLER_KINDS)(
    'at a biller that offers %s, with two failing calls and a pause',
    (kind) => {
      const { states, counterexample } = explore({ ...realRules, onlyCallsFail: true }, kind, {
        faults: 2,
        pauses: 1,
        operatorActs: 0,
        statesMax: STATES_MAX,
      });
      report(`${kind}, two failing calls: ${states} states`);
      expect(counterexample).toBeUndefined();
    },
    WHOLE_RUN_MS,
  );

  it.each(BILLER_KINDS)(
    'at a biller that offers %s, with an event store that is lost, a failing call and two acts of a person',
    (kind) => {
      const rules = { ...realRules, onlyCallsFail: true, losesHistory: true };
      const { states, ends, counterexample } = explore(rules, kind, {
        faults: 2,
        pauses: 0,
        operatorActs: 2,
        statesMax: STATES_MAX,
      });
      report(`${kind}, a lost history: ${states} states, ${ends} ends`);
      expect(counterexample).toBeUndefined();
      expect(ends).toBeGreaterThan(5);
    },
    WHOLE_RUN_MS,
  );

  it(
    'holds with every read apart too, the row before the attempt',
    () => {
      const { states, counterexample } = explore({ ...realRules, reads: 'row-before-attempt' }, 'neither', {
        faults: 0,
        pauses: 1,
        operatorActs: 0,
        statesMax: STATES_MAX,
      });
      report(`reads apart: ${states} states`);
      expect(counterexample).toBeUndefined();
    },
    WHOLE_RUN_MS,
  );
});

/** One rule removed at a time: if the model still held, it would not be checking that rule. */
const MUTATIONS: readonly {
  readonly without: string;
  readonly kind: BillerKind;
  readonly faults: number;
  readonly pauses?: number;
  readonly operatorActs?: number;
  readonly rules: Partial<Rules>;
}[] = [
  {
    without: 'looking whether an open attempt has an owner',
    kind: 'inquiry',
    faults: 1,
    rules: {
      nextDeliveryStep: (facts) =>
        facts.attempt.status === 'open'
          ? { step: 'start-attempt', attempt: facts.attempt.started.attempt + 1 }
          : realRules.nextDeliveryStep(facts),
    },
  },
  {
    without: 'waiting for the quarantine',
    kind: 'inquiry',
    faults: 1,
    rules: {
      nextDeliveryStep: (facts) =>
        realRules.nextDeliveryStep({
          ...facts,
          doubtTerms: facts.doubtTerms && { ...facts.doubtTerms, quarantineMs: -1000 },
        }),
      resolveDoubt: (attempt, terms, now) => realRules.resolveDoubt(attempt, { ...terms, quarantineMs: -1000 }, now),
      judgeInquiry: (answer, attempt, terms, askedAt) =>
        realRules.judgeInquiry(answer, attempt, { ...terms, quarantineMs: -1000 }, askedAt),
    },
  },
  {
    without: 'waiting for the lag of an inquiry that says absent',
    kind: 'inquiry',
    faults: 1,
    rules: {
      judgeInquiry: (answer, attempt, terms, askedAt) =>
        answer.answer === 'absent'
          ? { judged: 'closed', outcome: 'not-executed' }
          : realRules.judgeInquiry(answer, attempt, terms, askedAt),
    },
  },
  {
    without: 'the end of the key retention',
    kind: 'keys',
    faults: 1,
    pauses: 3,
    rules: {
      onlyCallsFail: true,
      resolveDoubt: (attempt, terms, now) =>
        realRules.resolveDoubt(
          attempt,
          { ...terms, capability: { inquiry: undefined, keys: { retentionMs: 1e9, marginMs: 0 } } },
          now,
        ),
    },
  },
  {
    without: 'one key for the whole record',
    kind: 'keys',
    faults: 1,
    rules: {
      idempotencyKey: (attempt) => `key-${attempt}`,
      closingEvent: (outcome, ofResend) =>
        realRules.closingEvent(outcome.kind === 'unknown' ? { kind: 'not-executed', code: 'hope' } : outcome, ofResend),
    },
  },
  {
    without: 'telling unknown from not executed',
    kind: 'neither',
    faults: 1,
    rules: {
      closingEvent: (outcome, ofResend) =>
        realRules.closingEvent(outcome.kind === 'unknown' ? { kind: 'not-executed', code: 'hope' } : outcome, ofResend),
    },
  },
  {
    without: 'sending the successor before completing',
    kind: 'neither',
    faults: 1,
    rules: { sendsSuccessorBeforeCompleting: false },
  },
  { without: 'a start id of each claimant', kind: 'neither', faults: 0, rules: { drawsStartIdAfresh: false } },
  {
    without: 'looking at the clock before sending',
    kind: 'inquiry',
    faults: 0,
    rules: { looksAtClockBeforeSending: false },
  },
  {
    without: 'claiming the attempt before a verdict without one',
    kind: 'neither',
    faults: 1,
    rules: { claimsAttemptBeforeVerdict: false },
  },
  { without: 'reading the row before the attempt', kind: 'neither', faults: 0, rules: { reads: 'attempt-before-row' } },
  {
    without: 'a new message before a record leaves doubt',
    kind: 'neither',
    faults: 1,
    rules: { leavesDoubtWithNewMessage: false },
  },
  {
    without: 'the operator waiting for the quarantine',
    kind: 'neither',
    faults: 1,
    pauses: 1,
    operatorActs: 1,
    rules: { operatorWaitsForQuarantine: false },
  },
  {
    without: 'giving calls that left before a history was lost their time',
    kind: 'neither',
    faults: 2,
    pauses: 0,
    operatorActs: 1,
    rules: { onlyCallsFail: true, losesHistory: true, lostCallsMayBeUnderWay: false },
  },
  {
    without: 'the operator waiting for the quarantine of a lost history',
    kind: 'neither',
    faults: 2,
    pauses: 0,
    operatorActs: 1,
    rules: { onlyCallsFail: true, losesHistory: true, operatorWaitsForQuarantine: false },
  },
  {
    without: 'telling that no byte left from an unclear answer',
    kind: 'neither',
    faults: 1,
    pauses: 0,
    rules: {
      closingEvent: (outcome, ofResend) =>
        realRules.closingEvent(
          outcome.kind === 'unknown' ? { kind: 'not-sent', lateByMs: 0, code: 'hope' } : outcome,
          ofResend,
        ),
    },
  },
  {
    without: 'keeping a resend that was not sent from closing the first call',
    kind: 'keys',
    faults: 3,
    pauses: 0,
    rules: {
      onlyCallsFail: true,
      closingEvent: (outcome, ofResend) =>
        outcome.kind === 'not-sent'
          ? realRules.closingEvent(outcome, false)
          : realRules.closingEvent(outcome, ofResend),
      decideAttempt: (command, state) =>
        realRules.decideAttempt(command.type === 'CloseAttempt' ? { ...command, resendsSeen: 99 } : command, state),
    },
  },
  {
    without: 'keeping the first refusal from closing a resent attempt',
    kind: 'keys',
    faults: 1,
    rules: {
      decideAttempt: (command, state) =>
        realRules.decideAttempt(command.type === 'CloseAttempt' ? { ...command, resendsSeen: 99 } : command, state),
    },
  },
  {
    without: 'the resend closing only on an answer about the effect',
    kind: 'keys',
    faults: 2,
    rules: {
      closingEvent: (outcome) => realRules.closingEvent(outcome, false),
      decideAttempt: (command, state) =>
        realRules.decideAttempt(command.type === 'CloseAttempt' ? { ...command, resendsSeen: 99 } : command, state),
    },
  },
  {
    without: 'resending early enough for a late effect',
    kind: 'keys',
    faults: 2,
    pauses: 1,
    rules: {
      onlyCallsFail: true,
      // As if a resend had only to leave, not to arrive, before the key is forgotten.
      resolveDoubt: (attempt, terms, now) =>
        realRules.resolveDoubt(
          attempt,
          {
            ...terms,
            capability: {
              inquiry: undefined,
              keys: { retentionMs: RETENTION_S * 1000 + terms.quarantineMs, marginMs: 0 },
            },
          },
          now,
        ),
    },
  },
];

describe('the model finds the double or the loss', () => {
  it.each(MUTATIONS)(
    'without $without',
    ({ without, kind, faults, pauses = 2, operatorActs = 0, rules }) => {
      const { states, counterexample } = explore({ ...realRules, ...rules }, kind, {
        faults,
        pauses,
        operatorActs,
        statesMax: STATES_MAX,
      });
      report(
        `without ${without}: ${counterexample?.broken} after ${counterexample?.trace.length} steps, ${states} states`,
      );
      if (process.env['SHOW_TRACES']) report(counterexample?.trace.join('\n        ') ?? '');
      expect(counterexample?.broken).toMatch(
        /^(posted twice|told as|no message is left|no way leads|a healthy record)/,
      );
    },
    WHOLE_RUN_MS,
  );
});
