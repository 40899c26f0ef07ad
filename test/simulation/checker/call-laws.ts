import { foldAttempt, foldRecord, type RawEvent } from './fold';

/** What these laws look at. No logic of the pipeline. */
export interface CallView {
  stream(name: string): readonly RawEvent[];
  /** Of the shard that holds the record, as ISO text. */
  shardInstant(record: string, ms: number): string;
  /** When its window opens, as hours and minutes of UTC; undefined: it is always open. */
  opensAt(biller: string): string | undefined;
  /** For how long after its first use a key is relied on, by the version of the profile; undefined: it has none. */
  keyReliedOnMs(biller: string, profileVersion: string): number | undefined;
}

/** A request as it leaves, with who sends it. */
export interface LeavingCall {
  readonly biller: string;
  readonly record: string;
  readonly key: string;
  readonly attempt: string;
  readonly profileVersion: string;
  readonly body: string;
  /** Process and life. */
  readonly life: string;
}

interface ToldToWait {
  readonly attempt: string;
  readonly untilMs: number;
  /** Events of the attempt when it was told: what was heard stands behind them, unless its hearer died. */
  readonly eventsThen: number;
}

/** An order, or a profile, takes effect within so long in every process. */
const CONTROL_CACHE_MS = 2_000;

/** Laws of the calls that a biller itself could hold us to: when one comes, what is in it, and by whose leave. */
export class CallLaws {
  private readonly firstUses = new Map<string, number>();
  private readonly bodies = new Map<string, string>();
  private readonly toldToWait = new Map<string, ToldToWait>();
  private readonly closedSince = new Map<string, { readonly why: string; readonly atMs: number }>();
  private readonly rates = new Map<string, { readonly perSecond: number | undefined; readonly atMs: number }>();
  /** By life and record: when each message of it that is in hand there was received. */
  private readonly inHand = new Map<string, Map<string, number>>();

  constructor(
    private readonly view: CallView,
    private readonly nowMs: () => number,
    private readonly violate: (what: string) => void,
  ) {}

  /** Stores came back from backups. What billers saw and said stands. */
  forget(): void {
    for (const memory of [this.bodies, this.toldToWait, this.closedSince, this.rates, this.inHand]) memory.clear();
  }

  /** An order was stored, or a profile published: from now on no call, or calls again. */
  doorMoved(biller: string, why: 'paused' | 'not live', closed: boolean): void {
    const door = `${biller} ${why}`;
    if (!closed) this.closedSince.delete(door);
    else if (!this.closedSince.has(door)) this.closedSince.set(door, { why, atMs: this.nowMs() });
  }

  /** An operator's order: so many calls a second. */
  slowed(biller: string, perSecond: number | undefined): void {
    this.rates.set(biller, { perSecond, atMs: this.nowMs() });
  }

  /** Whoever received all it has in hand of a biller after an order goes by it, whatever the call is for. */
  permitAsked(biller: string, life: string, perSecond: number | undefined): void {
    const ordered = this.rates.get(biller);
    if (!ordered) return;
    const own = `${life} ${biller}:`;
    const takenAt = [...this.inHand].flatMap(([name, messages]) =>
      name.startsWith(own) ? [...messages.values()] : [],
    );
    if (Math.min(...takenAt) > ordered.atMs + CONTROL_CACHE_MS && perSecond !== ordered.perSecond)
      this.violate(
        `rule 3: a call to biller ${biller} was to go out at ${perSecond} a second, ${ordered.perSecond} are ordered since ${ordered.atMs} ms`,
      );
  }

  received(life: string, record: string, lockToken: string): void {
    const name = `${life} ${record}`;
    this.inHand.set(name, (this.inHand.get(name) ?? new Map<string, number>()).set(lockToken, this.nowMs()));
  }

  settling(life: string, record: string, lockToken: string): void {
    const messages = this.inHand.get(`${life} ${record}`);
    messages?.delete(lockToken);
    if (messages?.size === 0) this.inHand.delete(`${life} ${record}`);
  }

  /** A biller asked to be left alone, and a living process heard it. */
  heardThrottle(record: string, attempt: string, retryAfterMs: number): void {
    const eventsThen = this.view.stream(attempt).length;
    this.toldToWait.set(record, { attempt, untilMs: this.nowMs() + retryAfterMs, eventsThen });
  }

  callLeft(call: LeavingCall, leftAtMs: number): void {
    const { record, attempt: name } = call;
    const attempt = foldAttempt(this.view.stream(name));
    const again = this.bodies.has(name);
    this.judgeDoors(call.biller, record, call.life, again ? 'sent again' : 'called', leftAtMs);
    this.judgeWaits(call, again, leftAtMs);
    if (again && this.bodies.get(name) !== call.body) this.violate(`rule 4: ${name} was sent again with other bytes`);
    this.bodies.set(name, call.body);
    this.judgeKey(call, attempt.resends > 0 && again, String(attempt.started?.['profileVersion']), leftAtMs);
  }

  /** The doubt ladder's question is a call too. */
  asked(biller: string, record: string, life: string): void {
    this.judgeDoors(biller, record, life, 'asked for', this.nowMs());
  }

  /** Rule 3. Whoever took the message in hand after a door was shut, and could know of it, leaves the biller alone. */
  private judgeDoors(biller: string, record: string, life: string, did: string, atMs: number): void {
    const messages = this.inHand.get(`${life} ${record}`);
    const takenAtMs = messages && Math.min(...messages.values());
    for (const why of ['paused', 'not live']) {
      const shut = this.closedSince.get(`${biller} ${why}`);
      if (shut && takenAtMs !== undefined && takenAtMs > shut.atMs + CONTROL_CACHE_MS)
        this.violate(`rule 3: ${record} was ${did} at its biller, which is ${why} since ${shut.atMs} ms`);
    }
    const at = this.view.shardInstant(record, atMs);
    const opensAt = this.view.opensAt(biller);
    if (opensAt !== undefined && at.slice(11, 16) < opensAt)
      this.violate(`rule 3: ${record} was ${did} at ${at}, before its biller's window opens at ${opensAt}`);
  }

  /** Rule 9. Not before the time that its stream names, nor before what its biller asked for, where that could be kept. */
  private judgeWaits({ record }: LeavingCall, again: boolean, leftAtMs: number): void {
    const told = this.toldToWait.get(record);
    // Who heard it died before it was said, or could not say it: nobody knows of it.
    const said = told && this.view.stream(told.attempt).slice(told.eventsThen).find(tellsOfThrottle);
    const stream = this.view.stream(`dpRecord-${record}`);
    // A person who redrives the record since then gives an order of their own.
    const ordered =
      said && stream.some(({ type, position }) => type === 'DpRecordRedriven' && position > said.position);
    if (told && said && !ordered && leftAtMs < told.untilMs)
      this.violate(
        `rule 9: ${record} was called ${told.untilMs - leftAtMs} ms before its biller's Retry-After was over`,
      );
    if (again) return;
    const { dueAt } = foldRecord(stream);
    const left = this.view.shardInstant(record, leftAtMs);
    if (dueAt !== undefined && left < dueAt)
      this.violate(`rule 9: ${record} was called at ${left}, it is due at ${dueAt}`);
  }

  /** Rule 4. A key is as old as its first use, by whatever attempt, however that ended. */
  private judgeKey({ biller, key, attempt }: LeavingCall, again: boolean, version: string, leftAtMs: number): void {
    const name = `${biller} ${key}`;
    const firstAtMs = this.firstUses.get(name) ?? leftAtMs;
    this.firstUses.set(name, firstAtMs);
    const reliedOnMs = this.view.keyReliedOnMs(biller, version) ?? 0;
    if (again && leftAtMs - firstAtMs >= reliedOnMs)
      this.violate(
        `rule 4: ${attempt} was sent again ${leftAtMs - firstAtMs} ms after its key was first used, it is relied on for ${reliedOnMs} ms`,
      );
  }
}

const tellsOfThrottle = ({ type, data }: RawEvent): boolean =>
  type === 'DeliveryAttemptThrottled' || data['retryAfterMs'] !== undefined;
