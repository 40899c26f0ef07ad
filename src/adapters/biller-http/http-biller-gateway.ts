import { type lookup as systemLookup } from 'node:dns';
import { type AnswerSnippets } from '../../application/ports/answer-snippets';
import { type BillerAllowance } from '../../application/ports/biller-allowance';
import {
  type BillerGateway,
  type Permit,
  type PreparedCall,
  type PrepareRequest,
  type SendTiming,
  type InquireRequest,
} from '../../application/ports/biller-gateway';
import { type Chance } from '../../application/ports/chance';
import { type Clock } from '../../application/ports/clock';
import { type Digest } from '../../application/ports/digest';
import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { type Telemetry } from '../../application/ports/telemetry';
import { type TokenCache } from '../../application/ports/token-cache';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { actionOf } from '../../domain/biller/data-type';
import { type BillerId } from '../../domain/identifiers';
import { msOf } from '../../domain/instant';
import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { type InquiryAnswer } from '../../domain/policies/in-doubt-resolution';
import { type AllowedHosts } from '../shared/biller-document/allowed-hosts';
import { Admission, type PermitOptions } from './admission';
import { BillerTrouble } from './backoff';
import { classify, classifyFailure, readAnswer } from './answer-classifier';
import { type CompiledProfile, CompiledProfiles } from './compiled-profile';
import { type Credential, Credentials } from './credentials';
import { type Evaluator, ExpressionPool } from './expression-pool';
import { buildRequest } from './request-builder';
import { waitAskedMs } from './retry-after';
import { askStatus } from './status-inquiry';
import { NODE_TIMERS, type Timers } from './timers';
import {
  type Carrier,
  type Deadline,
  ExchangeFailure,
  type HttpAnswer,
  type HttpRequest,
  UndiciTransport,
} from './undici-transport';
import { privateValues, withSnippet } from './unclear-answer';
import { withinDeadline } from './within-deadline';

export interface HttpBillerGatewayOptions {
  readonly clock: Clock;
  readonly digest: Digest;
  readonly secrets: SecretSource;
  readonly tokens: TokenCache;
  readonly allowance: BillerAllowance;
  readonly chance: Chance;
  /** Where masked pieces of answers that settle nothing are kept; nowhere, where left out. */
  readonly snippets?: AnswerSnippets;
  readonly telemetry: Pick<Telemetry, 'info' | 'warn' | 'count'>;
  readonly hosts: AllowedHosts;
  /** `Auth:Authority`: where tokens come from when a profile names no TokenUrl. */
  readonly tokenAuthority?: string;
  readonly connectTimeoutMs?: number;
  /** A certificate to trust beside those that Node brings. */
  readonly trusted?: Buffer;
  /** How names become addresses; the system's where left out. */
  readonly lookup?: typeof systemLookup;
  /** What carries requests; undici's agent where left out. */
  readonly carrier?: Carrier;
  /** What ends waits for answers; Node's timers where left out. */
  readonly timers?: Timers;
  /** Who evaluates expressions that are not plain; threads of their own where left out. */
  readonly expressions?: Evaluator;
}

type GateName = 'breaker' | 'throttle' | 'credential';

const ADMISSIONS_MAX = 4_096;
/** No further rule of a profile is tried on an answer after so long; by then something is slow, and a doubt is honest. */
const JUDGING_MAX_MS = 2_000;

/** The port's laws over axios and undici: build, authenticate, send once, classify by the profile's words. */
export class HttpBillerGateway implements BillerGateway {
  private readonly expressions: Evaluator;
  private readonly compiled = new CompiledProfiles(
    (biller) => (text, context, guards) => this.expressions.evaluate(biller, text, context, guards),
  );
  private readonly transport: UndiciTransport;
  private readonly credentials: Credentials;
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly admissions = new Map<string, Admission>();
  private readonly troubles = new Map<BillerId, BillerTrouble>();

  constructor(private readonly options: HttpBillerGatewayOptions) {
    this.clock = options.clock;
    this.timers = options.timers ?? NODE_TIMERS;
    this.expressions = options.expressions ?? new ExpressionPool();
    const { hosts, connectTimeoutMs, trusted, lookup, carrier } = options;
    this.transport = new UndiciTransport(hosts, {
      timers: this.timers,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(trusted === undefined ? {} : { trusted }),
      ...(lookup === undefined ? {} : { lookup }),
      ...(carrier === undefined ? {} : { carrier }),
    });
    this.credentials = new Credentials(
      this.transport,
      options.secrets,
      options.tokens,
      this.clock,
      options.tokenAuthority,
      options.telemetry,
    );
  }

  async prepare(request: PrepareRequest): Promise<PreparedCall> {
    const compiled = this.compile(request.profile);
    const built = await buildRequest(compiled, request);
    const credential = await this.credential(request.profile, compiled);
    const expected = compiled.requests.get(actionOf(request.row.dataType))?.format === 'xml' ? 'xml' : 'json';
    let httpStatus: number | undefined;
    const noted: HttpRequest = { ...built, answered: (status) => (httpStatus = status) };
    return {
      seen: () => ({ method: built.method, httpStatus }),
      requestHash: this.options.digest(`${built.method}\n${built.url}\n${built.body}`),
      send: async (timing) => {
        const outcome = await this.send(request, compiled, noted, credential, expected, timing);
        return this.admission(request.profile).note(outcome);
      },
    };
  }

  async inquire(request: InquireRequest): Promise<InquiryAnswer> {
    try {
      if (this.admission(request.profile).shutForMs() > 0) return { answer: 'unavailable' };
      const compiled = this.compile(request.profile);
      const deadline = this.deadline({
        since: this.clock.monotonicMs(),
        sendWithinMs: Math.min(request.timeoutMs, compiled.inquiry?.timeoutMs ?? 0),
      });
      const told = await withinDeadline(this.timers, deadline, () => this.ask(compiled, request, deadline));
      return told ?? { answer: 'unavailable' };
    } catch {
      return { answer: 'unavailable' };
    }
  }

  /** What keeps calls from each biller that was called, for whoever watches. */
  *gates(): Iterable<{ readonly billerId: string; readonly gate: GateName; readonly shut: boolean }> {
    for (const admission of this.admissions.values())
      yield { billerId: admission.billerId, gate: 'breaker', shut: admission.isBroken() };
    for (const [billerId, { throttle, token }] of this.troubles) {
      yield { billerId, gate: 'throttle', shut: throttle.isShut() };
      yield { billerId, gate: 'credential', shut: token.isShut() };
    }
  }

  permit(profile: BillerProfile, options: PermitOptions): Promise<Permit> {
    return this.admission(profile).permit(options.ratePerSecond ?? profile.limits.perSecond, options);
  }

  /** Waits for the answers under way; new calls are refused by the transport. */
  async close(): Promise<void> {
    await this.transport.close();
    await this.expressions.close();
  }

  private async send(
    { profile, row }: PrepareRequest,
    compiled: CompiledProfile,
    built: HttpRequest,
    credential: Credential,
    expected: 'json' | 'xml',
    timing: SendTiming,
  ): Promise<CallOutcome> {
    const deadline = this.deadline(timing);
    const lateByMs = (): number => Math.max(0, Math.round(-deadline.remainingMs()));
    if (deadline.remainingMs() <= 0) return { kind: 'not-sent', lateByMs: lateByMs() };
    try {
      let answer = await this.transport.exchange(withCredential(built, credential), deadline);
      if (answer.status === 401)
        answer = (await this.repeatWithNewCredential(profile, compiled, built, credential, deadline)) ?? answer;
      const read = readAnswer(answer, expected);
      const judgedFromMs = this.clock.monotonicMs();
      const isOver = (): boolean => this.clock.monotonicMs() - judgedFromMs > JUDGING_MAX_MS;
      const outcome = await classify(compiled, read, { nowMs: msOf(this.clock.now()), isOver });
      return withSnippet(this.options, outcome, answer.body, () => privateValues(row, credential.headers));
    } catch (error) {
      if (error instanceof ExchangeFailure) return classifyFailure(error, lateByMs());
      // Never thrown on: the request may have left, and only `unknown` is true of that.
      return { kind: 'unknown', code: 'gateway-failed' };
    }
  }

  /** Undefined: there was no new credential or no time left, and nothing more was sent. */
  private async repeatWithNewCredential(
    profile: BillerProfile,
    compiled: CompiledProfile,
    built: HttpRequest,
    refused: Credential,
    deadline: Deadline,
  ): Promise<HttpAnswer | undefined> {
    const renewed = await withinDeadline(this.timers, deadline, async () => {
      await refused.forget();
      return this.credential(profile, compiled);
    }).catch(() => undefined);
    if (!renewed || deadline.remainingMs() <= 0) return undefined;
    try {
      return await this.transport.exchange(withCredential(built, renewed), deadline);
    } catch (error) {
      // The repetition never left, so the first answer stands: refused.
      if (error instanceof ExchangeFailure && !error.left) return undefined;
      throw error;
    }
  }

  private async ask(compiled: CompiledProfile, request: InquireRequest, deadline: Deadline): Promise<InquiryAnswer> {
    const { profile } = request;
    let credential = await this.credential(profile, compiled);
    const exchange = (asked: HttpRequest): Promise<HttpAnswer> =>
      this.transport.exchange(withCredential(asked, credential), deadline);
    return askStatus(compiled, request, async (asked) => {
      let answer = await exchange(asked);
      if (answer.status === 401) {
        await credential.forget();
        credential = await this.credential(profile, compiled);
        answer = await exchange(asked);
      }
      if (answer.status === 429)
        this.admission(profile).throttled(waitAskedMs(answer.headers, msOf(this.clock.now())) ?? 0);
      return answer;
    });
  }

  /**
   * One biller's credential. Where it cannot be had, nobody asks again until the wait is over, and then one at a time:
   * everyone else hears at once what the last one heard.
   */
  private async credential(profile: BillerProfile, compiled: CompiledProfile): Promise<Credential> {
    const trouble = this.trouble(profile.billerId);
    const { token, asking } = trouble;
    const shut = token.isShut();
    if (shut && trouble.credentialFailure && (token.remainingMs() > 0 || asking.underWay)) {
      const { message, code, retryable, facts } = trouble.credentialFailure;
      const waitMs = token.remainingMs() || asking.waitMs();
      throw new PortFailure(message, { code, retryable, retryAfterMs: waitMs, facts });
    }
    if (shut) asking.begin();
    try {
      const credential = await this.credentials.of(compiled.document);
      token.worked();
      return credential;
    } catch (error) {
      if (!(error instanceof PortFailure)) throw error;
      const { message, code, retryable, facts, cause } = error;
      trouble.credentialFailure = error;
      const waitMs = token.failed(code, error.retryAfterMs);
      throw new PortFailure(message, { code, retryable, retryAfterMs: waitMs, facts, cause });
    } finally {
      if (shut) asking.end();
    }
  }

  private compile(profile: BillerProfile): CompiledProfile {
    try {
      return this.compiled.of(profile);
    } catch (error) {
      const facts = { billerId: profile.billerId, profileVersion: profile.version };
      throw new PortFailure(`profile ${profile.version} of biller ${profile.billerId} cannot be used`, {
        code: 'profile-invalid',
        retryable: false,
        facts,
        cause: error,
      });
    }
  }

  /**
   * One per biller and limits: an old version that still has an open attempt keeps its own beside the present one, so
   * the two cannot reset each other's counts by turns.
   */
  private admission(profile: BillerProfile): Admission {
    const { limits, breaker } = profile;
    const key = [profile.billerId, limits.concurrency, breaker.failuresToOpen, breaker.openMs].join('|');
    const known = this.admissions.get(key);
    if (known) return known;
    const admission = new Admission(profile, this.options.allowance, this.clock, this.trouble(profile.billerId));
    this.admissions.set(key, admission);
    if (this.admissions.size > ADMISSIONS_MAX) this.admissions.delete(this.admissions.keys().next().value!);
    return admission;
  }

  private trouble(biller: BillerId): BillerTrouble {
    const known = this.troubles.get(biller);
    if (known) return known;
    const trouble = new BillerTrouble(this.options, biller);
    this.troubles.set(biller, trouble);
    if (this.troubles.size > ADMISSIONS_MAX) this.troubles.delete(this.troubles.keys().next().value!);
    return trouble;
  }

  private deadline({ since, sendWithinMs }: SendTiming): Deadline {
    return { remainingMs: () => sendWithinMs - (this.clock.monotonicMs() - since) };
  }
}

const withCredential = (request: HttpRequest, credential: Credential): HttpRequest => ({
  ...request,
  headers: { ...request.headers, ...credential.headers },
});
