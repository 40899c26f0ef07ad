import { type FaultKind } from './faults';

/** One thing that the design relies on, broken on purpose, in a world made so that it hurts whom it can hurt. */
export interface BrokenAssumption {
  readonly says: string;
  /** How many times later than declared an effect may be. */
  readonly latenessFactor?: number;
  /** For what share of the declared retention a biller remembers a key. */
  readonly retentionFactor?: number;
  /** How many times slower than time the monotonic clock runs on the machine of every first twin; the others' are right. */
  readonly clockSlowness?: number;
  /** In what share of the inquiries about something that was carried out the biller denies it. */
  readonly inquiryLies?: number;
  /** In what share of their decisions a person says the contrary of what the books say. */
  readonly operatorErrs?: number;
  /** The clocks of the shards' databases are set forwards and backwards. */
  readonly shardClocksJump?: boolean;
  /** Billers declare no more retention than a profile must. */
  readonly shortRetention?: boolean;
  /** A person who trusts what the profiles declare resolves what is in doubt so often. */
  readonly operatorLooksEveryMs?: number;
  /** Faults that strike at this rate whatever the dice say: what leads to the damage. */
  readonly rates: Partial<Record<FaultKind, number>>;
}

/**
 * Without its messages a stream may lack its last word, and a record whose row is gone may stay in doubt: the totals
 * would differ, or leave room for a difference, without the damage that they are to tell.
 */
const NOTHING_GONE = { 'bus-message-lost': 0, 'row-withdrawn': 0, 'row-vanishes': 0, 'id-used-again': 0 } as const;

export const BROKEN_ASSUMPTIONS = {
  'late-effects': {
    says: 'effects later than the quarantine',
    latenessFactor: 100,
    rates: { ...NOTHING_GONE, 'biller-timeout-late-effect': 0.3 },
    operatorLooksEveryMs: 10_000,
  },
  'forgotten-keys': {
    says: 'keys forgotten before their retention is over',
    retentionFactor: 0.02,
    rates: {
      ...NOTHING_GONE,
      'biller-timeout-with-effect': 0.3,
      // An owner that falls asleep before it tells what it heard, and another who takes over meanwhile.
      'process-pause': 0.02,
      'bus-lock-expiry': 0.3,
      // Who can be asked sends nothing again: only where no answer comes, the key is relied on.
      'inquiry-cannot-tell': 0.4,
      'inquiry-unavailable': 0.3,
    },
  },
  'slow-clocks': {
    says: 'monotonic clocks that run slow on one of two machines',
    clockSlowness: 12,
    shortRetention: true,
    rates: {
      ...NOTHING_GONE,
      // A clock is read anew when its process starts: only long lives fall behind.
      'process-crash-before-effect': 0.0005,
      'process-crash-after-effect': 0.0005,
      'process-restart': 0,
      'store-slow': 0.03,
      'process-pause': 0.005,
      // The other machine must meet the record while the slow one has it in hand.
      'bus-duplicate': 0.4,
      'bus-lock-expiry': 0.3,
      'biller-timeout-with-effect': 0.4,
      'biller-timeout-late-effect': 0.5,
      'inquiry-cannot-tell': 0.6,
    },
    operatorLooksEveryMs: 10_000,
  },
  'lying-inquiries': {
    says: 'inquiries that deny what was carried out',
    inquiryLies: 0.5,
    // A changed profile may ask a biller that could not be asked before.
    rates: { ...NOTHING_GONE, 'profile-changed': 0, 'biller-timeout-with-effect': 0.3 },
  },
  'wrong-operators': {
    says: 'persons who say the contrary of what the books say',
    operatorErrs: 0.5,
    shortRetention: true,
    rates: {
      ...NOTHING_GONE,
      'biller-timeout-with-effect': 0.3,
      'biller-timeout-without-effect': 0.2,
      // Who can be asked, or be called again, seldom needs a person.
      'inquiry-cannot-tell': 0.6,
    },
    operatorLooksEveryMs: 10_000,
  },
  'jumping-clocks': {
    says: "clocks of the shards' databases that are set forwards and backwards",
    shardClocksJump: true,
    shortRetention: true,
    rates: {
      ...NOTHING_GONE,
      'biller-timeout-with-effect': 0.3,
      'biller-timeout-late-effect': 0.5,
      // Who waits comes back after the true time: another message must look at the clock before.
      'bus-duplicate': 0.4,
      'bus-late': 0.2,
      'bus-lock-expiry': 0.3,
      'inquiry-cannot-tell': 0.4,
    },
    operatorLooksEveryMs: 10_000,
  },
} as const satisfies Record<string, BrokenAssumption>;

export type BrokenAssumptionName = keyof typeof BROKEN_ASSUMPTIONS;
