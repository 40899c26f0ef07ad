import { requestContext } from '../../../src/adapters/biller-http/request-context';
import {
  type BillerGateway,
  type Permit,
  type PreparedCall,
  type PrepareRequest,
  type SendTiming,
} from '../../../src/application/ports/biller-gateway';
import { PortFailure } from '../../../src/application/ports/failures';
import { type BillerProfile } from '../../../src/domain/biller/biller-profile';
import { recordKey } from '../../../src/domain/identifiers';
import { type CallOutcome } from '../../../src/domain/policies/delivery-outcome';
import { type InquiryAnswer } from '../../../src/domain/policies/in-doubt-resolution';
import { type BillerRequest } from './biller-world';
import { mixed } from './dice';
import { type CallFault } from './faults';
import { denies, landLate } from './late-effect';
import { type SimulatedProcess } from './simulated-process';
import { type World } from './world';

/** A request with the profile that it was built by, and the lateness that this declares. */
type Sending = Omit<BillerRequest, 'attempt'> & {
  readonly quarantineMs: number;
  readonly profileVersion: string;
  readonly body: string;
  readonly breaker: BillerProfile['breaker'];
};

/** Shut until then; 0: it is open. */
interface Breaker {
  failures: number;
  openUntil: number;
}
type Sent = Sending & BillerRequest;

interface Told {
  readonly outcome: CallOutcome;
  readonly answeredAt: number;
}

/** How a biller's network and server misbehave: what the request does there, and what its sender hears. */
interface Misbehaviour {
  readonly effect: 'now' | 'late' | 'none' | 'never-arrived';
  readonly hears: CallOutcome | 'timeout';
}

const REFUSED: CallOutcome = { kind: 'not-executed', code: 'connection-refused' };
const MISBEHAVIOURS: Partial<Record<CallFault, Misbehaviour>> = {
  'biller-refused': { effect: 'never-arrived', hears: REFUSED },
  'biller-unauthorized': { effect: 'none', hears: { kind: 'not-executed', code: 'unauthorized' } },
  'biller-busy': { effect: 'none', hears: { kind: 'not-executed', code: 'http-503' } },
  'biller-throttled': { effect: 'none', hears: { kind: 'throttled', retryAfterMs: 1_000 } },
  'biller-500-before-effect': { effect: 'none', hears: { kind: 'unknown', code: 'http-500' } },
  'biller-500-after-effect': { effect: 'now', hears: { kind: 'unknown', code: 'http-500' } },
  'biller-timeout-with-effect': { effect: 'now', hears: 'timeout' },
  'biller-timeout-late-effect': { effect: 'late', hears: 'timeout' },
  'biller-timeout-without-effect': { effect: 'none', hears: 'timeout' },
  'biller-200-with-error-body': { effect: 'none', hears: { kind: 'unknown', code: 'http-200' } },
  'biller-malformed-body': { effect: 'now', hears: { kind: 'unknown', code: 'body-malformed' } },
};
const RETRY_AFTERS_MS = [1_000, 4_000, 15_000, 60_000];
const NOT_CARRIED: CallOutcome = { kind: 'not-sent', lateByMs: 0, code: 'key-not-carried' };
const TIMEOUT: CallOutcome = { kind: 'unknown', code: 'timeout' };

/** The laws of the gateway's port, over billers that live in the simulation. One per life of a process. */
export class SimulatedGateway implements BillerGateway {
  private readonly held = new Map<string, number>();
  private readonly breakers = new Map<string, Breaker>();

  constructor(
    private readonly world: World,
    private readonly process: SimulatedProcess,
    private readonly epoch: number,
  ) {}

  permit(profile: BillerProfile, options: Parameters<BillerGateway['permit']>[1]): Promise<Permit> {
    this.world.watch.laws.permitAsked(profile.billerId, this.life, options.ratePerSecond);
    const rate = options.ratePerSecond ?? profile.limits.perSecond;
    return this.world.wire.call(this.process, this.epoch, {
      site: 'permit',
      name: `gateway.permit(${profile.billerId})`,
      latencyMaxMs: 2,
      effect: (fault, question): Permit => {
        const held = this.held.get(profile.billerId) ?? 0;
        const refused = fault === 'permit-refused';
        const breaker = this.breakerOf(profile.billerId);
        const opensInMs = breaker.openUntil - this.world.timeline.now;
        // After its time one call finds out, alone.
        if (breaker.openUntil > 0 && (opensInMs > 0 || held > 0))
          return { granted: false, cause: 'breaker-open', retryAfterMs: Math.max(opensInMs, 1_000) };
        if (refused || held >= profile.limits.concurrency) {
          return {
            granted: false,
            cause: refused && question % 2 === 0 ? 'breaker-open' : 'allowance-used-up',
            retryAfterMs: refused ? 5_000 : 250,
          };
        }
        if (rate !== undefined && !this.world.billers.takeRate(profile.billerId, rate))
          return { granted: false, cause: 'allowance-used-up', retryAfterMs: 500 };
        this.held.set(profile.billerId, held + 1);
        let open = true;
        return {
          granted: true,
          release: () => {
            if (open) this.held.set(profile.billerId, this.held.get(profile.billerId)! - 1);
            open = false;
          },
        };
      },
    });
  }

  private breakerOf(biller: string): Breaker {
    const breaker = this.breakers.get(biller) ?? { failures: 0, openUntil: 0 };
    this.breakers.set(biller, breaker);
    return breaker;
  }

  private noteForBreaker({ biller, breaker: { failuresToOpen, openMs } }: Sent, { kind }: CallOutcome): void {
    const breaker = this.breakerOf(biller);
    const failed = kind === 'unknown' || kind === 'not-executed';
    breaker.failures = failed ? breaker.failures + 1 : 0;
    breaker.openUntil = breaker.failures >= failuresToOpen ? this.world.timeline.now + openMs : 0;
  }

  private get life(): string {
    return `${this.process.name}#${this.epoch}`;
  }

  /** Permits that this life of the process holds; a probe is one of them. */
  get permitsHeld(): number {
    return [...this.held.values()].reduce((sum, one) => sum + one, 0);
  }

  prepare({ profile, row, idempotencyKey }: PrepareRequest): Promise<PreparedCall> {
    const record = recordKey(row.billerId, row.dpId);
    const { version, quarantineMs, breaker } = profile;
    const body = JSON.stringify([profile.document, row.customer, row.payment, idempotencyKey]);
    return this.world.wire.call(this.process, this.epoch, {
      site: 'prepare',
      name: `gateway.prepare(${record})`,
      effect: (fault): PreparedCall => {
        // Its owner takes the row back while one consumer is about to call for it.
        if (fault === 'row-vanishes') this.world.shardOfRecord(record).withdraw(row.dpId);
        if (this.world.unbuildable.has(record)) {
          throw new PortFailure(`failed to build the request of ${record}`, {
            code: 'request-unbuildable',
            retryable: false,
          });
        }
        // What a profile's expressions see, so that seeds reach how an amount is written.
        const { payment } = requestContext(profile, row, idempotencyKey) as {
          readonly payment?: { readonly amount: string; readonly currency: string };
        };
        const request = {
          biller: row.billerId,
          record,
          key: idempotencyKey,
          amount: payment?.amount,
          currency: payment?.currency,
        };
        return {
          requestHash: this.world.digest(body),
          send: (timing) => this.send({ ...request, body, profileVersion: version, quarantineMs, breaker }, timing),
        };
      },
    });
  }

  inquire({ profile, record, timeoutMs }: Parameters<BillerGateway['inquire']>[0]): Promise<InquiryAnswer> {
    const { billers } = this.world;
    return this.world.wire.call(this.process, this.epoch, {
      site: 'inquiry',
      name: `gateway.inquire(${record})`,
      latencyMaxMs: Math.min(500, timeoutMs),
      effect: (fault, question): InquiryAnswer => {
        if (this.world.wire.isCutOff(this.process.name, 'biller')) return { answer: 'unavailable' };
        this.world.watch.asked(profile.billerId, record, profile.version, this.life);
        if (fault === 'inquiry-pending') return { answer: 'pending' };
        if (fault === 'inquiry-cannot-tell') return { answer: 'cannot-tell' };
        if (fault === 'inquiry-unavailable') return { answer: 'unavailable' };
        const state = billers.stateOf(record, fault === 'inquiry-lags');
        if (state.says === 'delivered' && denies(this.world, question)) return { answer: 'absent' };
        if (state.says === 'delivered') {
          const minorUnits = state.effect.minorUnits + (this.world.misreported.has(record) ? 1 : 0);
          const amount = this.world.carriesMoney(record) ? { minorUnits, currency: state.effect.currency! } : undefined;
          return { answer: 'delivered', billerReference: state.effect.reference, amount };
        }
        return state.says === 'declined' ? { answer: 'declined', code: 'D1' } : { answer: 'absent' };
      },
    });
  }

  private async send(sending: Sending, { since, sendWithinMs }: SendTiming): Promise<CallOutcome> {
    const { timeline, wire, dice } = this.world;
    const request: Sent = { ...sending, attempt: this.world.watch.newestAttempt(sending.record) };
    const lateByMs = this.process.monotonicMs() - since - sendWithinMs;
    if (lateByMs >= 0) return { kind: 'not-sent', lateByMs };
    const leftAt = timeline.now;
    const deadline = leftAt - lateByMs;
    const told = await wire.call<Told>(this.process, this.epoch, {
      site: 'call',
      name: `gateway.send(${request.record})`,
      latencyMaxMs:
        dice.fraction(mixed(dice.question('slow biller'), timeline.now)) < 0.05 && !this.world.faults.isHealed
          ? sendWithinMs
          : 300,
      answerAfterMs: ({ answeredAt }) => answeredAt - timeline.now,
      effect: (fault, question) => {
        // Law 9: the key did not get onto the request, so the request did not get onto the wire.
        if (fault === 'key-not-carried') return { outcome: NOT_CARRIED, answeredAt: timeline.now };
        // Nothing of it leaves this machine.
        if (wire.isCutOff(this.process.name, 'biller')) return { outcome: REFUSED, answeredAt: timeline.now };
        this.world.watch.callLeft({ ...request, life: this.life }, leftAt);
        return this.arrive(request, fault, question, deadline);
      },
    });
    this.noteForBreaker(request, told.outcome);
    if (told.outcome.kind === 'accepted' || told.outcome.kind === 'declined')
      this.world.watch.answered(this.process.name, this.epoch, request.attempt);
    if (told.outcome.kind === 'throttled')
      this.world.watch.laws.heardThrottle(request.record, request.attempt, told.outcome.retryAfterMs);
    return told.outcome;
  }

  private arrive(request: Sent, fault: CallFault | undefined, question: number, deadline: number): Told {
    const { billers, timeline, dice } = this.world;
    const how = fault && MISBEHAVIOURS[fault];
    const usually = timeline.now + dice.between(1, 200, mixed(question, timeline.now));
    if (how) {
      if (how.effect === 'now') billers.receive(request);
      if (how.effect === 'none') billers.turnAway(request);
      if (how.effect === 'late')
        landLate(this.world, request, { question, deadline, quarantineMs: request.quarantineMs });
      return how.hears === 'timeout'
        ? { outcome: TIMEOUT, answeredAt: Math.max(deadline, timeline.now) }
        : { outcome: this.varied(how.hears, question), answeredAt: usually };
    }
    const answer = billers.receive(request);
    if (usually >= deadline) return { outcome: TIMEOUT, answeredAt: Math.max(deadline, timeline.now) };
    const outcome: CallOutcome =
      answer.says === 'accepted'
        ? { kind: 'accepted', httpStatus: 201, billerReference: answer.reference }
        : { kind: 'declined', httpStatus: 422, code: 'D1' };
    return { outcome, answeredAt: usually };
  }

  /** Billers ask for waits of all lengths. */
  private varied(outcome: CallOutcome, question: number): CallOutcome {
    if (outcome.kind !== 'throttled') return outcome;
    return {
      ...outcome,
      retryAfterMs: this.world.dice.pick(RETRY_AFTERS_MS, mixed(question, this.world.timeline.now)),
    };
  }
}
