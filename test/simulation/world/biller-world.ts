import { type Dice, mixed } from './dice';
import { type Timeline } from './timeline';

/** One effect at a biller: money posted, or a choice taken over. */
export interface Effect {
  readonly biller: string;
  readonly record: string;
  readonly reference: string;
  readonly minorUnits: number;
  readonly at: number;
  readonly key: string;
  /** The stream of the attempt whose call it was. */
  readonly attempt: string;
}

/** What a biller truly does; its profile says the same unless an assumption is broken on purpose. */
export interface BillerNature {
  readonly biller: string;
  readonly remembersKeys: boolean;
  keyRetentionMs: number;
  /** An effect is missing from inquiries for up to this long. */
  readonly inquiryLagMs: number;
}

export interface BillerRequest {
  readonly biller: string;
  readonly record: string;
  readonly key: string;
  readonly minorUnits: number;
  readonly attempt: string;
}

export type BillerAnswer = { readonly says: 'accepted'; readonly reference: string } | { readonly says: 'declined' };
export type Statement = { readonly says: 'delivered'; readonly effect: Effect } | { readonly says: 'declined' | 'absent' };

/** The billers and their ledgers, behind whatever the network does. */
export class BillerWorld {
  readonly ledger: Effect[] = [];
  readonly natures = new Map<string, BillerNature>();
  readonly declining = new Set<string>();
  private readonly remembered = new Map<string, { readonly firstAt: number; readonly answer: BillerAnswer }>();
  private readonly declined = new Map<string, number>();

  constructor(private readonly timeline: Timeline, private readonly dice: Dice) {}

  /** A request arrives and is carried out, or is known by its key and answered as before. */
  receive(request: BillerRequest): BillerAnswer {
    const nature = this.natures.get(request.biller)!;
    const keyed = `${request.biller} ${request.key}`;
    const known = this.remembered.get(keyed);
    if (nature.remembersKeys && known && this.timeline.now - known.firstAt < nature.keyRetentionMs) return known.answer;
    const answer = this.carryOut(request);
    this.remembered.set(keyed, { firstAt: this.timeline.now, answer });
    return answer;
  }

  /** What the biller's status inquiry knows now; it may lag behind the ledger. */
  stateOf(record: string, lagsFully: boolean): Statement {
    const visible = this.ledger.filter((effect) => effect.record === record && effect.at + this.lagOf(effect, lagsFully) <= this.timeline.now);
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

  private lagOf({ biller, reference }: Effect, lagsFully: boolean): number {
    const { inquiryLagMs } = this.natures.get(biller)!;
    return lagsFully ? inquiryLagMs : Math.floor(this.dice.fraction(mixed(this.dice.question('lag'), Number(reference.slice(2)))) * inquiryLagMs);
  }

  private carryOut({ biller, record, key, minorUnits, attempt }: BillerRequest): BillerAnswer {
    if (this.declining.has(record)) {
      this.declined.set(record, this.timeline.now);
      return { says: 'declined' };
    }
    const effect = { biller, record, key, minorUnits, attempt, reference: `R-${this.ledger.length + 1}`, at: this.timeline.now };
    this.ledger.push(effect);
    return { says: 'accepted', reference: effect.reference };
  }
}
