import { type Dice, mixed } from './dice';
import { type Timeline } from './timeline';

/** One effect at a biller: money posted, or a choice taken over. */
export interface Effect {
  readonly biller: string;
  readonly record: string;
  readonly reference: string;
  readonly minorUnits: number;
  readonly currency: string | undefined;
  readonly at: number;
  readonly key: string;
  /** The stream of the attempt whose call it was. */
  readonly attempt: string;
}

/** What a biller truly does; its profile says the same unless an assumption is broken on purpose. */
export interface BillerNature {
  readonly biller: string;
  readonly remembersKeys: boolean;
  /** Knows a key from the first request that showed it, also one that it turned away, and forgets it its retention later. */
  readonly fromFirstUse: boolean;
  keyRetentionMs: number;
  /** An effect is missing from inquiries for up to this long. */
  readonly inquiryLagMs: number;
}

export interface BillerRequest {
  readonly biller: string;
  readonly record: string;
  readonly key: string;
  /** The biller is not shown the key: its profile names no header for it. */
  readonly keyless?: boolean;
  /** As a body says it: decimal text. Undefined where no money moves. */
  readonly amount: string | undefined;
  readonly currency: string | undefined;
  readonly attempt: string;
}

export type BillerAnswer = { readonly says: 'accepted'; readonly reference: string } | { readonly says: 'declined' };
export type Statement =
  { readonly says: 'delivered'; readonly effect: Effect } | { readonly says: 'declined' | 'absent' };

/** What the billers of this world know of their currencies: not from the product's own table, which it is to be held against. */
const DECIMALS: Readonly<Record<string, number>> = { USD: 2, JPY: 0, KWD: 3, CLF: 4 };
export const WORLD_CURRENCIES = Object.keys(DECIMALS);

const keyedBy = ({ biller, key }: BillerRequest): string => `${biller} ${key}`;

/** As the biller writes it. */
export const decimalOf = (minorUnits: number, currency: string): string =>
  (minorUnits / 10 ** DECIMALS[currency]!).toFixed(DECIMALS[currency]);

const minorUnitsIn = (amount: string, currency: string): number =>
  Math.round(Number(amount) * 10 ** DECIMALS[currency]!);

/** The billers and their ledgers, behind whatever the network does. */
export class BillerWorld {
  readonly ledger: Effect[] = [];
  readonly natures = new Map<string, BillerNature>();
  readonly declining = new Set<string>();
  /** Without an answer: the key was seen on a request that was turned away. */
  private readonly remembered = new Map<
    string,
    { readonly firstAt: number; readonly answer: BillerAnswer | undefined }
  >();
  private readonly rates = new Map<string, number[]>();
  private readonly declined = new Map<string, number>();

  constructor(
    private readonly timeline: Timeline,
    private readonly dice: Dice,
  ) {}

  /** A request arrives and is carried out, or is known by its key and answered as before. */
  receive(request: BillerRequest): BillerAnswer {
    if (request.keyless) return this.carryOut(request);
    const known = this.rememberedOf(request);
    if (known?.answer && this.natures.get(request.biller)!.remembersKeys) return known.answer;
    const answer = this.carryOut(request);
    this.remembered.set(keyedBy(request), { firstAt: known?.firstAt ?? this.timeline.now, answer });
    return answer;
  }

  /** A place among the calls of this second, over all processes. */
  takeRate(biller: string, perSecond: number): boolean {
    const taken = (this.rates.get(biller) ?? []).filter((at) => at > this.timeline.now - 1_000);
    this.rates.set(biller, taken);
    if (taken.length >= perSecond) return false;
    taken.push(this.timeline.now);
    return true;
  }

  /** A request arrives and is turned away, or fails: some billers have seen its key all the same. */
  turnAway(request: BillerRequest): void {
    if (request.keyless || !this.natures.get(request.biller)!.fromFirstUse || this.rememberedOf(request)) return;
    this.remembered.set(keyedBy(request), { firstAt: this.timeline.now, answer: undefined });
  }

  /** What the biller's status inquiry knows now; it may lag behind the ledger. */
  stateOf(record: string, lagsFully: boolean): Statement {
    const visible = this.ledger.filter(
      (effect) => effect.record === record && effect.at + this.lagOf(effect, lagsFully) <= this.timeline.now,
    );
    const effect = visible[0];
    if (effect) return { says: 'delivered', effect };
    return { says: this.declined.has(record) ? 'declined' : 'absent' };
  }

  /** For how long a key has been known; 0 where it is not. */
  remembersSince(biller: string, key: string): number {
    const known = this.remembered.get(`${biller} ${key}`);
    return known ? this.timeline.now - known.firstAt : 0;
  }

  effectsOf(record: string): readonly Effect[] {
    return this.ledger.filter((effect) => effect.record === record);
  }

  hasDeclined(record: string): boolean {
    return this.declined.has(record);
  }

  private rememberedOf(request: BillerRequest) {
    const known = this.remembered.get(keyedBy(request));
    return known && this.timeline.now - known.firstAt < this.natures.get(request.biller)!.keyRetentionMs
      ? known
      : undefined;
  }

  private lagOf({ biller, reference }: Effect, lagsFully: boolean): number {
    const { inquiryLagMs } = this.natures.get(biller)!;
    return lagsFully
      ? inquiryLagMs
      : Math.floor(this.dice.fraction(mixed(this.dice.question('lag'), Number(reference.slice(2)))) * inquiryLagMs);
  }

  private carryOut({ biller, record, key, amount, currency, attempt }: BillerRequest): BillerAnswer {
    if (this.declining.has(record)) {
      this.declined.set(record, this.timeline.now);
      return { says: 'declined' };
    }
    const effect = {
      biller,
      record,
      key,
      minorUnits: amount === undefined || currency === undefined ? 0 : minorUnitsIn(amount, currency),
      currency,
      attempt,
      reference: `R-${this.ledger.length + 1}`,
      at: this.timeline.now,
    };
    this.ledger.push(effect);
    return { says: 'accepted', reference: effect.reference };
  }
}
