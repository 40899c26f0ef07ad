import { type Admission } from '../../../../src/adapters/biller-http/admission';
import { type Evaluator } from '../../../../src/adapters/biller-http/expression-pool';
import { HttpBillerGateway } from '../../../../src/adapters/biller-http/http-biller-gateway';
import { compileExpression, type Expression } from '../../../../src/adapters/shared/biller-document/expression';
import { InProcessTokenCache } from '../../../../src/adapters/system/in-process-token-cache';
import {
  type BillerGateway,
  type Permit,
  type PreparedCall,
  type PrepareRequest,
  type SendTiming,
} from '../../../../src/application/ports/biller-gateway';
import { type Chance } from '../../../../src/application/ports/chance';
import { type Clock } from '../../../../src/application/ports/clock';
import { type Telemetry } from '../../../../src/application/ports/telemetry';
import { type BillerProfile } from '../../../../src/domain/biller/biller-profile';
import { recordKey } from '../../../../src/domain/identifiers';
import { type CallOutcome } from '../../../../src/domain/policies/delivery-outcome';
import { type InquiryAnswer } from '../../../../src/domain/policies/in-doubt-resolution';
import { type SimulatedProcess } from '../simulated-process';
import { type World } from '../world';
import { HttpCarrier, type Sending } from './http-carrier';

/** JSONata within this thread: a run may not depend on when another thread answers. Compiled once for all processes. */
const compiled = new Map<string, Expression>();
const IN_THIS_THREAD: Evaluator = {
  evaluate: (_biller, text, context, guards = []) => {
    const key = JSON.stringify([text, guards]);
    const known = compiled.get(key) ?? compileExpression(text, undefined, () => guards);
    compiled.set(key, known);
    return known.evaluate(context);
  },
  close: () => Promise.resolve(),
};

const PERMIT_REFUSED_MS = 5_000;
const ASK_AGAIN_MS = 500;

/**
 * The product's own gateway, in one life of a process, with the simulation's sockets, time, secrets and rate count. What
 * it says of each call is held against what the billers answered and this process heard.
 */
export class HttpGateway implements BillerGateway {
  private readonly carrier: HttpCarrier;
  private readonly gateway: HttpBillerGateway;

  constructor(
    private readonly world: World,
    private readonly process: SimulatedProcess,
    private readonly epoch: number,
    ports: { readonly clock: Clock; readonly chance: Chance; readonly telemetry: Telemetry },
  ) {
    const { wire } = world;
    this.carrier = new HttpCarrier(world, process, epoch);
    this.gateway = new HttpBillerGateway({
      ...ports,
      digest: world.digest,
      tokens: new InProcessTokenCache(ports.clock),
      secrets: {
        secret: (name) =>
          wire.call(process, epoch, {
            site: 'secret',
            name: `secret(${name})`,
            effect: () => world.http!.secret(name),
          }),
      },
      allowance: {
        take: (biller, { perSecond, wanted }) =>
          wire.call(process, epoch, {
            site: 'permit',
            name: `allowance.take(${biller})`,
            effect: (fault) => {
              if (fault === 'permit-refused') return { granted: 0, retryAfterMs: PERMIT_REFUSED_MS };
              let granted = 0;
              while (granted < wanted && world.billers.takeRate(biller, perSecond)) granted++;
              return { granted, retryAfterMs: granted > 0 ? 0 : ASK_AGAIN_MS };
            },
          }),
      },
      hosts: { allowedHosts: ['*.example'], allowPlainLoopback: false },
      carrier: this.carrier,
      timers: {
        after: (ms, run) => {
          let cancelled = false;
          wire.answer(process, epoch, Math.ceil(ms), () => (cancelled ? false : run()));
          return () => (cancelled = true);
        },
        // Whatever arrives in the present millisecond is read before the next.
        afterReads: (run) => wire.answer(process, epoch, 1, run),
      },
      expressions: IN_THIS_THREAD,
    });
  }

  permit(profile: BillerProfile, options: Parameters<BillerGateway['permit']>[1]): Promise<Permit> {
    this.world.watch.laws.permitAsked(profile.billerId, this.life, options.ratePerSecond);
    return this.gateway.permit(profile, options);
  }

  async prepare(request: PrepareRequest): Promise<PreparedCall> {
    const { profile, row, idempotencyKey } = request;
    const record = recordKey(row.billerId, row.dpId);
    await this.world.wire.call(this.process, this.epoch, {
      site: 'building',
      name: `gateway.prepare(${record})`,
      effect: (fault) => {
        // Its owner takes the row back while one consumer is about to call for it.
        if (fault === 'row-vanishes') this.world.shardOfRecord(record).withdraw(row.dpId);
      },
    });
    const prepared = await this.gateway.prepare(request);
    const { quarantineMs } = profile;
    return {
      ...prepared,
      send: (timing) => this.send(prepared, { record, key: idempotencyKey, quarantineMs }, timing),
    };
  }

  async inquire(request: Parameters<BillerGateway['inquire']>[0]): Promise<InquiryAnswer> {
    const before = this.carrier.told.get(request.record)?.length ?? 0;
    const answer = await this.gateway.inquire(request);
    const told = (this.carrier.told.get(request.record) ?? []).slice(before);
    const meant = told.map(({ status, body }) => meaningOf(status, body));
    // Without its row nobody knows the currency of an amount: a person has to look.
    if (request.row === undefined && meant.includes('delivered')) meant.push('cannot-tell');
    if (!meant.includes(answer.answer) && answer.answer !== 'unavailable')
      this.world.watch.violate(
        `gateway: an inquiry after ${request.record} came to ${answer.answer}, its biller said ${meant.join() || 'nothing'}`,
      );
    return answer;
  }

  /** Permits that are out, and places and probes that the gateway itself holds for none. */
  get permitsHeld(): number {
    const { admissions } = this.gateway as unknown as { readonly admissions: ReadonlyMap<string, Admission> };
    let held = 0;
    for (const [key, admission] of admissions) {
      const { places, gates } = admission as unknown as {
        readonly places: { readonly executionSlots: number };
        readonly gates: readonly (readonly [{ readonly probe: { readonly underWay: boolean } }, string])[];
      };
      held += Number(key.split('|')[1]) - places.executionSlots;
      held += gates.filter(([{ probe }]) => probe.underWay).length;
    }
    return held;
  }

  private async send(
    prepared: PreparedCall,
    call: Pick<Sending, 'record' | 'key' | 'quarantineMs'>,
    timing: SendTiming,
  ): Promise<CallOutcome> {
    const { watch, timeline } = this.world;
    const { record } = call;
    const attempt = watch.newestAttempt(record);
    const deadline = timeline.now + timing.sendWithinMs - (this.process.monotonicMs() - timing.since);
    const sending: Sending = { ...call, attempt, deadline, left: 0, heard: [], credential: undefined };
    this.carrier.sendings.set(record, sending);
    const outcome = await prepared.send(timing).catch((error: unknown) => {
      watch.violate(`gateway: the call of ${attempt} threw ${String(error)}, ${sending.left} requests had left`);
      throw error;
    });
    this.judge(sending, outcome);
    const throttle = sending.heard.at(-1);
    if (outcome.kind === 'accepted' || outcome.kind === 'declined')
      watch.answered(this.process.name, this.epoch, attempt);
    if (throttle?.leaveAloneUntil !== undefined)
      watch.laws.heardThrottle(record, attempt, throttle.leaveAloneUntil - timeline.now);
    return outcome;
  }

  /** Laws 4 and 5 of the port, from the other side of the wire. */
  private judge({ attempt, left, heard }: Sending, outcome: CallOutcome): void {
    const last = heard.at(-1)?.means;
    const unheard = left - heard.length;
    const isSo = {
      accepted: last === 'accepted',
      declined: last === 'declined',
      throttled: unheard === 0 && last === 'throttled',
      'not-executed':
        unheard === 0 && heard.every(({ means }) => means === 'refused' || means === 'credential-refused'),
      'not-sent': left === 0,
      unknown: unheard > 0 || last === 'unclear',
    }[outcome.kind];
    if (!isSo)
      this.world.watch.violate(
        `gateway: the call of ${attempt} came to ${outcome.kind}; ${left} requests left, heard was ${heard.map(({ means }) => means).join() || 'nothing'}`,
      );
  }

  private get life(): string {
    return `${this.process.name}#${this.epoch}`;
  }
}

/** What an inquiry's answer says to whoever reads it whole. */
function meaningOf(status: number, body: string): InquiryAnswer['answer'] {
  if (status === 409) return 'cannot-tell';
  try {
    const { state } = JSON.parse(body) as { readonly state?: string };
    if (status === 404 && state === 'absent') return 'absent';
    if (status !== 200) return 'unavailable';
    return state === 'posted' ? 'delivered' : state === 'pending' || state === 'declined' ? state : 'unavailable';
  } catch {
    return 'unavailable';
  }
}
