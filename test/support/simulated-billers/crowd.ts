import { getEventListeners } from 'node:events';
import { PortFailure } from '../../../src/application/ports/failures';
import { type BillerProfile } from '../../../src/domain/biller/biller-profile';
import { recordKey } from '../../../src/domain/identifiers';
import { paymentRow } from '../biller-fixtures';
import { SETTLED } from './answers';
import { type Plan, type TokenPlan } from './plans';
import { same } from './same';
import { isTokenRequest, PROFILES, SimulatedBillers } from './simulated-billers';
import { breathe } from './virtual-time';

export interface Caller {
  /** Which of PROFILES. */
  readonly profile: number;
  readonly startMs: number;
  readonly waitMs: number;
  readonly stopsWaitingMs: number | undefined;
  readonly rated: boolean;
  readonly does: 'call' | 'ask' | 'give back';
  readonly holdsMs: number;
  readonly withinMs: number;
  readonly first: Plan;
  readonly second: Plan;
}

/** What the count of a biller's rate answers, one after the other: so many, or nothing until later, or that it is out. */
export type Share = { readonly granted: number; readonly retryAfterMs: number } | 'out';

const RATE = 60;
/** Of sixty a second what goes in 50 ms. */
const WANTED = 3;
/** An unused share is dropped then. */
const KEPT_MS = 200;
const QUIET_MS = 4_000_000;
const PROBES_MAX = 6;
const GOOD: Plan = {
  connectMs: 0,
  stallMs: 0,
  effect: true,
  end: { kind: 'answer', headMs: 0, bodyMs: 0, known: SETTLED[0]! },
};

/** Many callers at once. What must hold of them is told by the wire and by what they were answered. */
export class Crowd {
  private readonly billers: SimulatedBillers;
  private readonly plans = new Map<string, Plan[]>();
  private readonly held = new Map<string, number>();
  /** Billers whose last answered payment was throttled: another one in a row shuts its door. */
  private readonly throttled = new Set<string>();
  private readonly shutUntil = new Map<string, number>();
  private readonly shares: { readonly biller: string; at: number; left: number }[] = [];
  private quiet = false;

  constructor(
    options: { readonly fraction: number; readonly tokenPlans: readonly TokenPlan[] },
    shares: readonly Share[],
  ) {
    let taken = 0;
    this.billers = new SimulatedBillers({
      ...options,
      skewMs: 0,
      planOf: ({ headers, path }) => {
        if (this.quiet) return GOOD;
        const plan = this.plans.get(headers['idempotency-key'] ?? path.slice(path.lastIndexOf('%3A') + 3))!.shift();
        if (!plan) throw new Error('a third request of one call');
        return plan;
      },
      allowance: {
        take: (biller, asked) => {
          same(asked, { perSecond: RATE, wanted: WANTED });
          const share = this.quiet ? { granted: WANTED, retryAfterMs: 0 } : shares[taken++ % shares.length]!;
          if (share === 'out')
            return Promise.reject(new PortFailure('failed to count', { code: 'unavailable', retryable: true }));
          this.shares.push({ biller, at: this.billers.time.monotonicMs(), left: share.granted });
          return Promise.resolve(share);
        },
      },
    });
  }

  async run(callers: readonly Caller[]): Promise<void> {
    const { time } = this.billers;
    await time.until(Promise.all(callers.map((caller, index) => this.call(caller, index))));
    await time.pass(QUIET_MS);
    same(
      this.billers.wire.requests.every(({ endedAt }) => endedAt !== undefined),
      true,
    );
    this.quiet = true;
    for (const profile of new Set(callers.map((caller) => caller.profile))) await this.isWholeAgain(PROFILES[profile]!);
  }

  private async call(caller: Caller, index: number): Promise<void> {
    const { gateway, time } = this.billers;
    const profile = PROFILES[caller.profile]!;
    await time.sleep(caller.startMs);
    const from = time.monotonicMs();
    const stop = new AbortController();
    if (caller.stopsWaitingMs !== undefined) setTimeout(() => stop.abort(), caller.stopsWaitingMs);
    const permit = await gateway
      .permit(profile, {
        waitMs: caller.waitMs,
        signal: stop.signal,
        ...(caller.rated && { ratePerSecond: RATE }),
      })
      .catch((error: unknown) => error);
    // Whoever has been let in, or sent away, listens no longer: a process' signal lives as long as the process.
    same(getEventListeners(stop.signal, 'abort').length, 0);
    const waitedMs = time.monotonicMs() - from;
    same(waitedMs <= Math.min(caller.waitMs, caller.stopsWaitingMs ?? Infinity), true);
    if (permit instanceof PortFailure) return expect(permit.message).toBe('failed to count');
    const answered = permit as Awaited<ReturnType<typeof gateway.permit>>;
    if (!answered.granted) return same(answered.retryAfterMs > 0, true);
    // A ladder's signal ends a wait and nothing that was granted.
    this.take(profile, caller.rated);
    const key = `key-${index}`;
    this.plans.set(key, [caller.first, caller.second]);
    try {
      if (caller.does === 'give back') await time.sleep(caller.holdsMs);
      if (caller.does === 'ask') await this.ask(profile, caller, key);
      if (caller.does === 'call') await this.pay(profile, caller, key);
    } finally {
      this.held.set(placesOf(profile), this.held.get(placesOf(profile))! - 1);
      answered.release();
      answered.release();
    }
  }

  private take(profile: BillerProfile, rated: boolean): void {
    const { time } = this.billers;
    const held = (this.held.get(placesOf(profile)) ?? 0) + 1;
    this.held.set(placesOf(profile), held);
    same(held <= profile.limits.concurrency, true);
    same((this.shutUntil.get(profile.billerId) ?? 0) <= time.monotonicMs(), true);
    if (!rated) return;
    const share = this.shares.find(
      ({ biller, at, left }) => biller === profile.billerId && left > 0 && time.monotonicMs() - at <= KEPT_MS,
    );
    same(share !== undefined, true);
    share!.left--;
  }

  private async pay(profile: BillerProfile, { withinMs }: Caller, key: string): Promise<void> {
    const { gateway, time, wire } = this.billers;
    const row = paymentRow({ billerId: profile.billerId });
    const call = await gateway.prepare({ profile, row, idempotencyKey: key }).catch((error: unknown) => error);
    if (call instanceof PortFailure) return this.shut(profile, call.retryAfterMs!);
    const since = time.monotonicMs();
    const { send } = call as Awaited<ReturnType<typeof gateway.prepare>>;
    const outcome = await send({ since, sendWithinMs: withinMs });
    same(time.monotonicMs() - since <= withinMs, true);
    const business = wire.requests.filter(({ headers }) => headers['idempotency-key'] === key);
    same(business.length <= 2, true);
    same(
      business.every(({ leftAt }) => leftAt === undefined || leftAt < since + withinMs),
      true,
    );
    if (business.some(({ effectAt }) => effectAt !== undefined))
      same(['accepted', 'unknown'].includes(outcome.kind), true);
    if (business.every(({ leftAt }) => leftAt === undefined))
      same(['not-executed', 'not-sent'].includes(outcome.kind), true);
    if (outcome.kind !== 'throttled') this.throttled.delete(profile.billerId);
    else if (this.throttled.has(profile.billerId)) this.shut(profile, outcome.retryAfterMs);
    else this.throttled.add(profile.billerId);
  }

  private async ask(profile: BillerProfile, { withinMs }: Caller, key: string): Promise<void> {
    const { gateway, time } = this.billers;
    const since = time.monotonicMs();
    const record = recordKey(profile.billerId, key as never);
    await gateway.inquire({ profile, record, row: undefined, idempotencyKey: key, timeoutMs: withinMs });
    this.throttled.delete(profile.billerId);
    same(time.monotonicMs() - since <= Math.min(withinMs, 5_000), true);
  }

  /** Nobody is let in before that. */
  private shut(profile: BillerProfile, forMs: number): void {
    const until = this.billers.time.monotonicMs() + forMs;
    this.shutUntil.set(profile.billerId, Math.max(until, this.shutUntil.get(profile.billerId) ?? 0));
  }

  /** After all that: calls that work open each gate, and then there are as many places as ever. */
  private async isWholeAgain(profile: BillerProfile): Promise<void> {
    const { gateway, time, wire } = this.billers;
    for (let probe = 0; probe < PROBES_MAX; probe++) {
      const permit = await time.until(gateway.permit(profile, { waitMs: 0 }));
      if (!permit.granted) {
        // Its token could not be had; the wait is at most an hour.
        expect([probe === 0, permit.cause]).toEqual([false, 'token-unavailable']);
        await time.pass(permit.retryAfterMs);
        continue;
      }
      const row = paymentRow({ billerId: profile.billerId });
      const idempotencyKey = `key-${profile.billerId}-${probe}`;
      const prepared = gateway.prepare({ profile, row, idempotencyKey }).catch(() => undefined);
      const call = await time.until(prepared);
      if (call) await time.until(call.send({ since: time.monotonicMs(), sendWithinMs: 1_000 }));
      permit.release();
      await breathe();
      if (!call) continue;
      const { concurrency } = profile.limits;
      const permits = [];
      for (let place = 0; place <= concurrency; place++)
        permits.push(await time.until(gateway.permit(profile, { waitMs: 0, ratePerSecond: RATE })));
      expect(permits.map(({ granted }) => granted)).toEqual(permits.map((_, place) => place < concurrency));
      for (const one of permits) if (one.granted) one.release();
      return;
    }
    same(wire.requests.some(isTokenRequest), true);
  }
}

const placesOf = ({ billerId, limits }: BillerProfile): string => `${billerId}|${limits.concurrency}`;
