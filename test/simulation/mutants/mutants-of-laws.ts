import { type FaultKind } from '../world/faults';
import { type Mutant } from './mutant';

const STEP = 'src/domain/policies/delivery-step.ts';
const CONCLUDE = 'src/application/delivering/conclude-attempt.ts';
const STATE = 'src/domain/dp-record/dp-record.state.ts';
const GATE = 'src/application/delivering/biller-gate.ts';
const DOUBT = 'src/application/delivering/resolve-in-doubt.ts';
const START = 'src/application/delivering/start-attempt.ts';

const aim = (...kinds: readonly FaultKind[]) => ({ aim: { kinds } });
const GIVEN_UP = aim(
  'biller-busy',
  'biller-refused',
  'biller-unauthorized',
  'biller-throttled',
  'operator-redrives-twice',
  'operator-pauses',
  'bus-late',
);

/** Defects whose damage nothing but one law of the checker tells: no effect is doubled, and every record has its end. */
export const MUTANTS_OF_LAWS: readonly Mutant[] = [
  {
    name: 'calls before the time that a retry names',
    rule: 'a time that was named is kept',
    file: STEP,
    find: "if (dueAt !== undefined && now < dueAt && waitsForTime(record)) return { step: 'come-back', until: dueAt };",
    replace: '',
    shows: /it is due at/,
  },
  {
    name: 'lets a closed gate take the place of a time that must be kept',
    rule: 'a time that was named is kept',
    file: STEP,
    find: 'if (dueAt !== undefined && now < dueAt && waitsForTime(record))',
    replace: 'if (dueAt !== undefined && now < dueAt && waitsForTime(record) && gate === undefined)',
    shows: /it is due at|Retry-After was over/,
    // A message that comes again before the time, while the gate is closed.
    ...aim(
      'biller-throttled',
      'operator-pauses',
      'bus-lock-expiry',
      'bus-settle-not-applied',
      'bus-duplicate',
      'bus-late',
    ),
  },
  {
    name: 'keeps no Retry-After',
    rule: 'a time that was named is kept',
    file: CONCLUDE,
    find: 'waitAfterThrottle(closing.retryAfterMs, attempt, facts.chance)',
    replace: 'waitAfterThrottle(0, attempt, facts.chance)',
    shows: /Retry-After was over/,
  },
  {
    name: 'keeps no Retry-After of a call that was sent again',
    rule: 'a time that was named is kept',
    file: 'src/domain/delivery-attempt/delivery-attempt.state.ts',
    find: '...leaveAlone(event.data.at, event.data.retryAfterMs)',
    replace: '...leaveAlone(event.data.at, undefined)',
    shows: /Retry-After was over/,
    aim: { capability: 'keys', kinds: ['biller-throttled', 'biller-timeout-with-effect', 'biller-500-before-effect'] },
  },
  {
    name: 'sends other bytes again',
    rule: 'rule 4',
    file: 'src/application/delivering/resolve-in-doubt.ts',
    find: "return call.requestHash === requestHash ? call : 'bytes-changed';",
    replace: 'return call.requestHash === requestHash ? call : call;',
    shows: /was sent again with other bytes/,
    aim: {
      capability: 'keys',
      kinds: ['customer-renamed', 'biller-timeout-with-effect', 'biller-500-before-effect', 'bus-late'],
    },
  },
  {
    name: "takes a person's word while an effect may be on its way",
    rule: 'rule 4',
    file: 'src/application/operating/resolve-by-operator.ts',
    find: "order.outcome === 'not-executed' ? await stillOwned(ports, attempt.state, now) : undefined;",
    replace: 'undefined as string | undefined;',
    shows: /DeliveryAttemptResolvedByOperator of attempt \d+ at .*, before the quarantine/,
    ...aim('store-restored', 'operator-resolves', 'biller-timeout-with-effect'),
  },
  {
    name: 'gives a redriven record no new tries',
    rule: 'tries and age are kept to',
    file: STATE,
    find: 'openedAt: event.data.at, spentTries: 0,',
    replace: 'openedAt: event.data.at,',
    shows: /was given up after \d+ of \d+ tries/,
    ...GIVEN_UP,
  },
  {
    name: 'counts the age of a redriven record from its discovery',
    rule: 'tries and age are kept to',
    file: STATE,
    find: 'openedAt: event.data.at, spentTries: 0,',
    replace: 'spentTries: 0,',
    shows: /was given up as too old at an age of/,
    ...GIVEN_UP,
  },
  {
    name: 'forgets the tries of a record that was throttled in between',
    rule: 'tries and age are kept to',
    file: STATE,
    find: "case 'DpRecordParked':\n      return { ...known, status: 'pending',",
    replace: "case 'DpRecordParked':\n      return { ...known, status: 'pending', spentTries: 0,",
    shows: /is to be tried again after \d+ of \d+ tries/,
    ...aim('biller-busy', 'biller-throttled', 'biller-refused', 'biller-unauthorized'),
  },
  {
    name: 'calls a paused biller',
    rule: 'rule 3',
    file: GATE,
    find: "if (control.paused || profile.rollout !== 'live')",
    replace: "if (profile.rollout !== 'live')",
    shows: /which is paused since/,
  },
  {
    name: 'calls a biller that is no longer live',
    rule: 'rule 3',
    file: GATE,
    find: "if (control.paused || profile.rollout !== 'live')",
    replace: 'if (control.paused)',
    shows: /which is not live since/,
    ...aim('biller-stopped', 'biller-busy', 'biller-throttled', 'bus-late'),
  },
  {
    name: 'takes a pause that cannot be read for none',
    rule: 'rule 3',
    file: 'src/application/delivering/visit.ts',
    find: 'const demand = (): never => { throw error; };',
    replace: 'const demand = (): void => void error;',
    shows: /which is paused since/,
    ...aim('operator-pauses', 'control-unreadable', 'biller-throttled'),
  },
  {
    name: 'climbs the doubt ladder whatever gate is closed',
    rule: 'rule 3',
    file: DOUBT,
    find: 'if (visit.gate) return moves.park(visit, visit.gate, now);',
    replace: '',
    shows: /rule 3: .* was (asked for|sent again) at/,
    ...aim('operator-pauses', 'biller-stopped', 'biller-timeout-with-effect', 'biller-500-before-effect', 'bus-late'),
  },
  {
    name: 'sends again at the rate of the profile whatever an operator ordered',
    rule: 'rule 3',
    file: DOUBT,
    find: '...(visit.ratePerSecond === undefined ? {} : { ratePerSecond: visit.ratePerSecond }),',
    replace: '',
    shows: /rule 3: a call to biller \d+ was to go out at/,
    aim: {
      capability: 'keys',
      kinds: ['operator-slows', 'biller-timeout-with-effect', 'biller-500-before-effect', 'biller-throttled'],
    },
  },
  {
    name: 'sends copies to whichever subscription takes them',
    rule: 'rule 0',
    file: 'src/application/messaging/send-again.ts',
    find: 'target: settings.subscriptions[message.eventType]',
    replace: 'target: undefined',
    shows: /the copy .* is meant for undefined/,
  },
  {
    name: 'keeps the permit of a call that it did not make',
    rule: 'permits return',
    file: START,
    find: 'return await withPermit({ ...ready, row }, () => permit.release()); } finally { permit.release(); }',
    replace:
      "return await withPermit({ ...ready, row }, () => permit.release()); } finally { ports.telemetry.count('delivery.conflicts'); }",
    shows: /still holds \d+ permits/,
  },
  {
    name: 'keeps the permit of a call that it sent again',
    rule: 'permits return',
    file: DOUBT,
    find: '} finally {\n    permit.release();\n  }',
    replace: '} finally {\n    ports.telemetry.count("delivery.conflicts");\n  }',
    shows: /still holds \d+ permits/,
  },
  {
    name: 'frees a held record and not its row',
    rule: 'rule 9',
    file: CONCLUDE,
    find: 'const ordinal = isHeld ? await visit.shard.reopen(visit.message.dpId) : undefined;',
    replace: 'const ordinal = isHeld && visit.row ? 900 + attempt : undefined;',
    shows: /was freed from doubt and its row was not reopened first/,
  },
];
