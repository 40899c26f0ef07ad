import { type Kill, type ManifestBiller, type PlannedEnd } from '../../adapters/sqlite/sqlite-manifest';
import { type End, type Tally } from '../../application/queries/control-totals';

/** What left no other honest answer than doubt: a fault without a clear answer, or a kill during the call. */
export type DoubtOrigin = 'fault' | 'kill';

/** One thing that should not be. */
export interface Difference {
  readonly record: string;
  readonly kind: 'lost' | 'doubled' | 'differs';
  readonly text: string;
}

/** What each source says of one biller. Eligible is the manifest's count: every row there was before anything ran. */
export interface BillerProof {
  readonly biller: ManifestBiller;
  readonly eligible: Tally;
  readonly planned: Readonly<Record<PlannedEnd, number>>;
  readonly shards: Readonly<Record<End, Tally>>;
  readonly eventStore: Readonly<Record<End, Tally>>;
  /** Effects at the biller, and how many of them belong to records held in doubt. */
  readonly ledger: { readonly posted: Tally; readonly postedInDoubt: Tally; declined: number };
  /** Count and money of all three agree, and eligible is the sum of the ends. */
  balanced: boolean;
}

export interface Proof {
  readonly records: number;
  readonly billers: readonly BillerProof[];
  readonly lost: number;
  readonly doubled: number;
  readonly differing: number;
  /** The first ones; the three counts tell of all. */
  readonly differences: readonly Difference[];
  readonly faults: Readonly<Record<string, number>>;
  /** Records in doubt that may be, by what brought them there; any other is a difference. */
  readonly doubts: Readonly<Record<DoubtOrigin, number>>;
  readonly kills: readonly Kill[];
  /** How often each noteworthy event stands in the streams of attempts. */
  readonly attemptEvents: Readonly<Record<string, number>>;
}

export const DIFFERENCES_SHOWN_MAX = 20;

export const isProved = (proof: Proof): boolean =>
  proof.lost + proof.doubled + proof.differing === 0 && proof.billers.every(({ balanced }) => balanced);
