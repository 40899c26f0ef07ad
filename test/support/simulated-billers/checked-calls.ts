import { type BillerProfile } from '../../../src/domain/biller/biller-profile';
import { msOf } from '../../../src/domain/instant';
import { recordKey } from '../../../src/domain/identifiers';
import { type InquiryAnswer } from '../../../src/domain/policies/in-doubt-resolution';
import { type CallOutcome } from '../../../src/domain/policies/delivery-outcome';
import { paymentRow } from '../biller-fixtures';
import { TOLD } from './answers';
import { BreakerModel, meet, type Met, outcomeOf, speaks, tokenResult, type TokenResult, WaitModel } from './oracle';
import { type Plan, type TokenPlan } from './plans';
import { same } from './same';
import {
  credentialCarried,
  credentialOf,
  isOauth,
  isTokenRequest,
  PROFILES,
  type SecretRead,
  SimulatedBillers,
} from './simulated-billers';
import { type WireRequest } from './simulated-wire';
import { breathe } from './virtual-time';

export interface Step {
  /** Which of PROFILES. */
  readonly profile: number;
  readonly kind: 'pay' | 'ask' | 'give back';
  readonly rest: number | 'until it opens' | 'almost until it opens';
  /** Calls of the doubt ladder ask for no permit again. */
  readonly withoutPermit: boolean;
  readonly secretsMissing: boolean;
  readonly lateMs: number;
  readonly withinMs: number;
  readonly first: Plan;
  readonly second: Plan;
}

/** No fate takes longer than this to come about. */
const LONGEST_MS = 20_000;

type ProfiledStep = Omit<Step, 'profile'> & { readonly profile: BillerProfile };
type Gained = { readonly ok: boolean; readonly at: number };

/** Makes calls one after the other and compares each with what the oracle says of it, to the millisecond. */
export class CheckedCalls {
  readonly billers: SimulatedBillers;
  private readonly breakers = new Map<string, BreakerModel>();
  private readonly throttles = new Map<string, WaitModel>();
  private readonly waits = new Map<string, WaitModel>();
  private readonly secretsHeld = new Map<string, string>();
  private readonly tokensHeld = new Map<string, { readonly value: string; readonly until: number }>();
  private readonly presentedAt = new Map<string, string>();
  private readonly givenBack: (() => void)[] = [];
  private seen = 0;
  private read = 0;
  private calls = 0;

  constructor(
    private readonly options: {
      readonly skewMs: number;
      readonly fraction: number;
      readonly tokenPlans: readonly TokenPlan[];
    },
  ) {
    this.billers = new SimulatedBillers({
      ...options,
      planOf: () => {
        throw new Error('nobody called');
      },
    });
  }

  async step(planned: Step): Promise<void> {
    const profile = PROFILES[planned.profile]!;
    const step = { ...planned, profile };
    const { gateway, time } = this.billers;
    await this.rest(step);
    const permit = await time.until(gateway.permit(profile, { waitMs: 0 }));
    const refusal = this.refusal(profile);
    if (refusal || !permit.granted) same(permit, refusal);
    if (!permit.granted && !step.withoutPermit) return;
    const probed = permit.granted ? this.gatesOf(profile).filter(([gate]) => gate.shut()) : [];
    for (const [gate] of probed) gate.probedSince = time.monotonicMs();
    if (permit.granted) await this.countPlaces(profile, profile.limits.concurrency - 1);
    this.billers.secretsMissing = step.secretsMissing;
    if (step.kind === 'pay') await this.pay(step);
    if (step.kind === 'ask') await this.ask(step);
    // What a call left to its own limits ends, and nothing of it reaches the biller.
    if (this.billers.wire.requests.some(({ endedAt }) => endedAt === undefined)) await time.pass(LONGEST_MS);
    this.billers.secretsMissing = false;
    if (permit.granted) {
      permit.release();
      this.givenBack.push(permit.release);
    }
    for (const [gate] of probed) gate.probedSince = undefined;
    await this.countPlaces(profile, profile.limits.concurrency);
    same(this.billers.secretsRead.length, this.read);
    const later = this.requestsSince();
    same(
      later.filter(({ leftAt }) => leftAt !== undefined),
      [],
    );
    same(
      this.billers.wire.requests.every(({ endedAt }) => endedAt !== undefined),
      true,
    );
  }

  private async rest({ rest, profile }: ProfiledStep): Promise<void> {
    const wait = typeof rest === 'number' ? rest : (this.refusal(profile)?.retryAfterMs ?? 0);
    await this.billers.time.pass(rest === 'almost until it opens' ? wait - 1 : wait);
  }

  /** So many are granted and no more; where a gate is shut, one or none. */
  private async countPlaces(profile: BillerProfile, places: number): Promise<void> {
    const { gateway, time } = this.billers;
    // What was given back just now is free a moment later.
    await breathe();
    const refusal = this.refusal(profile);
    const probed = refusal ? [] : this.gatesOf(profile).filter(([gate]) => gate.shut());
    const permits = [];
    for (let place = 0; place <= places; place++) {
      // Whoever gives back twice gives nothing the second time.
      if (place > 0) for (const again of this.givenBack) again();
      permits.push(await time.until(gateway.permit(profile, { waitMs: 0 })));
    }
    const granted = refusal ? 0 : probed.length > 0 ? Math.min(1, places) : places;
    same(
      permits.map((permit) => permit.granted),
      permits.map((_, place) => place < granted),
    );
    const full = { granted: false, cause: 'allowance-used-up', retryAfterMs: 250 };
    const byProbe = probed[0] && { granted: false, cause: probed[0][1], retryAfterMs: 250 };
    same(permits[granted], refusal ?? (granted > 0 ? byProbe : undefined) ?? full);
    for (const permit of permits) if (permit.granted) permit.release();
  }

  private async pay({ profile, first, second, lateMs, withinMs }: ProfiledStep): Promise<void> {
    const { gateway, time, wire } = this.billers;
    const key = `key-${++this.calls}`;
    const plans = this.play([first, second]);
    const asked = time.monotonicMs();
    const tokens = this.wait(profile);
    const shutMs = tokens.remaining(asked);
    const prepared = await time.until(
      gateway.prepare({ profile, row: paymentRow({ billerId: profile.billerId }), idempotencyKey: key }).then(
        (call) => ({ call }),
        (error: unknown) => ({ error }),
      ),
    );
    if (shutMs > 0) {
      const { code, retryable } = tokens;
      expect(prepared).toMatchObject({ error: { name: 'PortFailure', code, retryable, retryAfterMs: shutMs } });
      return same(this.requestsSince(), []);
    }
    const gained = this.gain(profile, asked);
    same(gained.at, time.monotonicMs());
    if (!('call' in prepared) || !gained.ok) {
      same(gained.ok, false);
      const { code, retryable } = tokens;
      const retryAfterMs = tokens.remaining(gained.at);
      return expect(prepared).toMatchObject({ error: { name: 'PortFailure', code, retryable, retryAfterMs } });
    }
    same(gained.ok, true);
    const credential = this.credentialHeld(profile);
    const since = time.monotonicMs();
    await time.pass(lateMs);
    const from = time.monotonicMs();
    const deadline = since + withinMs;
    const outcome = await time.until(prepared.call.send({ since, sendWithinMs: withinMs }));
    const endedAt = time.monotonicMs();
    const requests = this.requestsSince();
    const business = requests.filter((request) => !isTokenRequest(request));
    if (from >= deadline) {
      same([outcome, business], [{ kind: 'not-sent', lateByMs: from - deadline }, []]);
      return;
    }
    const nowAt = (index: number): number => msOf(time.now()) - (endedAt - (business[index]?.at ?? endedAt));
    let met = meet(plans[0]!, from, deadline, nowAt(0));
    let tries = 1;
    if (met.met === 'answer' && met.known.answer.status === 401) {
      this.forget(profile);
      const renewed = this.gain(profile, met.at, requests);
      let at = Math.min(renewed.at, Math.max(deadline, met.at));
      if (renewed.ok && renewed.at < deadline) {
        tries = 2;
        const again = meet(plans[1]!, renewed.at, deadline, nowAt(1));
        if (again.met === 'answer' || again.left) met = again;
        at = again.at;
      } else if (!renewed.ok && this.stalled(requests, deadline)) at = renewed.at;
      met = { ...met, at };
    }
    same(endedAt, met.at);
    same(outcome, this.note(profile, met, outcomeOf(met, deadline)));
    // What follows needs no oracle of outcomes: the wire itself remembers.
    same(business.length, tries);
    same(new Set(business.map(({ method, path }) => `${method} ${path}`)), new Set(['POST /v1/payments']));
    const left = business.filter(({ leftAt }) => leftAt !== undefined);
    for (const request of business) this.checkRequest(profile, request, key);
    same(
      left.every(({ leftAt }) => leftAt! < deadline),
      true,
    );
    if (business[1]) same(business[1].body, business[0]!.body);
    same(credentialCarried(business[0]!), credential);
    if (business[1] && credential !== undefined) same(credentialCarried(business[1]) === credential, false);
    if (left.length === 0) same(['not-executed', 'not-sent'].includes(outcome.kind), true);
    if (wire.requests.some(({ effectAt, headers }) => effectAt !== undefined && headers['idempotency-key'] === key))
      same(['accepted', 'unknown'].includes(outcome.kind), true);
  }

  private async ask({ profile, first, second, withinMs }: ProfiledStep): Promise<void> {
    const { gateway, time } = this.billers;
    const plans = this.play([first, second]);
    const from = time.monotonicMs();
    const deadline = from + Math.min(withinMs, 5_000);
    const shut = this.breaker(profile).remaining(from) > 0 || this.throttle(profile).remaining(from) > 0;
    const waits = this.wait(profile).remaining(from) > 0;
    const answer = await time.until(
      gateway.inquire({
        profile,
        record: recordKey(profile.billerId, paymentRow().dpId),
        row: paymentRow({ billerId: profile.billerId }),
        idempotencyKey: 'key-of-an-inquiry',
        timeoutMs: withinMs,
      }),
    );
    const endedAt = time.monotonicMs();
    // A token that comes too late for this one is still there for the next.
    if (this.billers.wire.requests.some((request) => request.endedAt === undefined)) await time.pass(LONGEST_MS);
    const requests = this.requestsSince();
    const business = requests.filter((request) => !isTokenRequest(request));
    const left = business.filter(({ leftAt }) => leftAt !== undefined);
    const unavailable = (at: number): void => same([answer, endedAt], [{ answer: 'unavailable' }, at]);
    if (shut || waits) {
      same(requests, []);
      return unavailable(from);
    }
    const nowAt = (index: number): number => msOf(time.now()) - (time.monotonicMs() - (business[index]?.at ?? 0));
    let gained = this.gain(profile, from, requests.slice(0, 1));
    const late = (at: number): number => (this.stalled(requests, deadline) ? at : Math.min(at, deadline));
    if (!gained.ok || gained.at >= deadline) {
      same(left, []);
      return unavailable(late(gained.at));
    }
    let met = meet(plans[0]!, gained.at, deadline, nowAt(0));
    if (met.met === 'answer' && met.known.answer.status === 401) {
      this.forget(profile);
      gained = this.gain(profile, met.at, requests.slice(requests.indexOf(business[0]!) + 1));
      if (!gained.ok || gained.at >= deadline) {
        same(left.length, 1);
        return unavailable(late(gained.at));
      }
      met = meet(plans[1]!, gained.at, deadline, nowAt(1));
    }
    if (met.met === 'answer' && met.known.answer.status === 429) this.throttle(profile).fail(met.at, askedBy(met));
    const told: InquiryAnswer = (met.met === 'answer' ? TOLD.get(met.known) : undefined) ?? { answer: 'unavailable' };
    same([answer, endedAt], [this.toldByRules(met) ?? told, met.at]);
    for (const request of business) this.checkRequest(profile, request, undefined);
    same(
      business.every(({ method, body }) => method === 'GET' && body === ''),
      true,
    );
  }

  /** Answers of calls that the rules of inquiries know too, by their status alone. */
  private toldByRules(met: Met): InquiryAnswer | undefined {
    if (met.met === 'failure' || TOLD.has(met.known)) return undefined;
    const { outcome, answer } = met.known;
    if (outcome.kind === 'unknown' && outcome.answer?.wellFormed !== true) return undefined;
    if (answer.status === 404) return { answer: 'absent' };
    return answer.status === 409 ? { answer: 'cannot-tell' } : undefined;
  }

  private checkRequest(profile: BillerProfile, request: WireRequest, key: string | undefined): void {
    same(request.origin, `https://api-${profile.billerId}.example`);
    same(request.headers['idempotency-key'], key);
    same([request.headers['user-agent'], request.headers['accept-encoding']], ['datapump', 'identity']);
    const carried = credentialCarried(request);
    if (carried === undefined) return same((profile.document['Authentication'] as { Kind: string }).Kind, 'None');
    const owner = `${profile.billerId}|${isOauth(profile) ? credentialOf(profile) : ''}`;
    same(this.presentedAt.get(carried) ?? owner, owner);
    this.presentedAt.set(carried, owner);
    if (!isOauth(profile)) return;
    const token = this.billers.tokens.find(({ value }) => carried === `Bearer ${value}`);
    same(token?.credential, credentialOf(profile));
  }

  /** Lays the biller's waits over an outcome. */
  private note(profile: BillerProfile, met: Met, outcome: CallOutcome): CallOutcome {
    if (outcome.kind === 'not-sent') return outcome;
    const { breaks, answers } = speaks(met);
    this.breaker(profile).note(met.at, breaks);
    if (outcome.kind === 'throttled')
      return { kind: 'throttled', retryAfterMs: this.throttle(profile).fail(met.at, outcome.retryAfterMs) };
    if (answers) this.throttle(profile).work(met.at);
    return outcome;
  }

  /** What must have been read and asked for to be let in at `from`, and how it ended. */
  private gain(profile: BillerProfile, from: number, requests = this.requestsSince()): Gained {
    const wait = this.wait(profile);
    const auth = profile.document['Authentication'] as Readonly<Record<string, string>>;
    const names = Object.entries(auth).flatMap(([member, name]) => (member.endsWith('Secret') ? [name] : []));
    const tokenKey = `${profile.billerId}|${isOauth(profile) ? credentialOf(profile) : ''}`;
    const held = this.tokensHeld.get(tokenKey);
    const asked = requests.filter(isTokenRequest);
    if (held && from < held.until) {
      same(asked, []);
      wait.work(from);
      return { ok: true, at: from };
    }
    const wanted = names.filter((name) => !this.secretsHeld.has(name)).sort();
    const reads = this.readsNext(wanted.length);
    same(reads.map(({ name }) => name).sort(), wanted);
    for (const { name, value } of reads) if (value !== undefined) this.secretsHeld.set(name, value);
    if (reads.some(({ value }) => value === undefined)) {
      same(asked, []);
      return this.lost(wait, { ok: false, at: from, code: 'secret-missing', askedMs: 0 });
    }
    if (!isOauth(profile)) {
      wait.work(from);
      return { ok: true, at: from };
    }
    same(asked.length, 1);
    const [request] = asked as [WireRequest];
    same([`${request.origin}${request.path}`, request.at], [auth['TokenUrl'], from]);
    same(Object.fromEntries(new URLSearchParams(request.body)), {
      grant_type: 'client_credentials',
      ...(auth['Scope'] !== undefined && { scope: auth['Scope'] }),
    });
    const client = names.map((name) => encodeURIComponent(this.secretsHeld.get(name)!)).join(':');
    same(Buffer.from(request.headers['authorization']!.slice('Basic '.length), 'base64').toString(), client);
    const { played, nowMs } = this.billers.tokenPlayed.get(request)!;
    const result: TokenResult = tokenResult(played, from, nowMs);
    if (!result.ok) {
      if (result.code === 'token-refused') for (const name of names) this.secretsHeld.delete(name);
      return this.lost(wait, result);
    }
    const marginMs = Math.min(30_000, result.lifetimeMs / 5);
    const { value } = this.billers.tokens.find((token) => token.request === request)!;
    this.tokensHeld.set(tokenKey, { value, until: from + result.lifetimeMs - marginMs });
    wait.work(result.at);
    return result;
  }

  private lost(wait: WaitModel, { at, code, askedMs }: Extract<TokenResult, { ok: false }>): Gained {
    wait.code = code;
    wait.retryable = code !== 'secret-missing';
    wait.fail(at, askedMs);
    return { ok: false, at };
  }

  private forget(profile: BillerProfile): void {
    const auth = profile.document['Authentication'] as Readonly<Record<string, string>>;
    if (isOauth(profile)) this.tokensHeld.delete(`${profile.billerId}|${credentialOf(profile)}`);
    else
      for (const [member, name] of Object.entries(auth)) if (member.endsWith('Secret')) this.secretsHeld.delete(name);
  }

  private credentialHeld(profile: BillerProfile): string | undefined {
    const auth = profile.document['Authentication'] as Readonly<Record<string, string>>;
    const secret = (member: string): string => this.secretsHeld.get(auth[member]!)!;
    if (auth['Kind'] === 'ApiKey') return secret('KeySecret');
    if (auth['Kind'] === 'Basic')
      return `Basic ${Buffer.from(`${secret('UserSecret')}:${secret('PasswordSecret')}`).toString('base64')}`;
    return isOauth(profile)
      ? `Bearer ${this.tokensHeld.get(`${profile.billerId}|${credentialOf(profile)}`)!.value}`
      : undefined;
  }

  private play(plans: readonly Plan[]): readonly Plan[] {
    const used = [...plans];
    this.billers.planOf = () => used.shift() ?? this.thirdRequest();
    return plans;
  }

  private thirdRequest(): never {
    throw new Error('a third request of one call');
  }

  private requestsSince(): WireRequest[] {
    const { requests } = this.billers.wire;
    const since = requests.slice(this.seen);
    this.seen = requests.length;
    return since;
  }

  private readsNext(count: number): readonly SecretRead[] {
    this.read += count;
    return this.billers.secretsRead.slice(this.read - count, this.read);
  }

  /** Whether a request for a token was held up from before the deadline to after it. */
  private stalled(requests: readonly WireRequest[], deadline: number): boolean {
    return requests.some((request) => {
      const plan = this.billers.tokenPlayed.get(request)?.played.plan;
      return plan && !plan.refused && plan.stallMs > 0 && request.at + plan.connectMs < deadline;
    });
  }

  private gatesOf = (profile: BillerProfile) =>
    [
      [this.breaker(profile), 'breaker-open'],
      [this.throttle(profile), 'throttled'],
      [this.wait(profile), 'token-unavailable'],
    ] as const;

  private refusal(profile: BillerProfile) {
    const now = this.billers.time.monotonicMs();
    for (const [gate, cause] of this.gatesOf(profile)) {
      const remainingMs = gate.remaining(now);
      if (remainingMs > 0) return { granted: false, cause, retryAfterMs: remainingMs };
      if (gate.shut() && gate.probedSince !== undefined)
        return { granted: false, cause, retryAfterMs: Math.max(250, Math.ceil(now - gate.probedSince)) };
    }
    return undefined;
  }

  private breaker = (profile: BillerProfile): BreakerModel =>
    kept(this.breakers, `${profile.billerId}|${profile.limits.concurrency}`, () => new BreakerModel(profile.breaker));
  private throttle = ({ billerId }: BillerProfile): WaitModel =>
    kept(this.throttles, billerId, () => new WaitModel(this.options.fraction, 2));
  private wait = ({ billerId }: BillerProfile): WaitModel =>
    kept(this.waits, billerId, () => new WaitModel(this.options.fraction, 1));
}

const askedBy = ({ known: { outcome } }: Extract<Met, { met: 'answer' }>): number =>
  outcome.kind === 'throttled' ? outcome.retryAfterMs : 0;

function kept<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key) ?? make();
  map.set(key, known);
  return known;
}
