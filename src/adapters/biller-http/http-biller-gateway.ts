import { type BillerAllowance } from '../../application/ports/biller-allowance';
import {
  type BillerGateway,
  type Permit,
  type PreparedCall,
  type PrepareRequest,
  type SendTiming,
} from '../../application/ports/biller-gateway';
import { type Clock } from '../../application/ports/clock';
import { type Digest } from '../../application/ports/digest';
import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { type TokenCache } from '../../application/ports/token-cache';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { actionOf } from '../../domain/biller/data-type';
import { msOf } from '../../domain/instant';
import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { type InquiryAnswer } from '../../domain/policies/in-doubt-resolution';
import { type AllowedHosts } from '../shared/biller-document/allowed-hosts';
import { Admission, type PermitOptions } from './admission';
import { classify, classifyFailure, readAnswer } from './answer-classifier';
import { type CompiledProfile, CompiledProfiles } from './compiled-profile';
import { type Credential, Credentials } from './credentials';
import { buildRequest } from './request-builder';
import { askStatus, type InquireRequest } from './status-inquiry';
import { type Deadline, ExchangeFailure, type HttpAnswer, type HttpRequest, UndiciTransport } from './undici-transport';
import { withinDeadline } from './within-deadline';

export interface HttpBillerGatewayOptions {
  readonly clock: Clock;
  readonly digest: Digest;
  readonly secrets: SecretSource;
  readonly tokens: TokenCache;
  readonly allowance: BillerAllowance;
  readonly hosts: AllowedHosts;
  /** `Auth:Authority`: where tokens come from when a profile names no TokenUrl. */
  readonly tokenAuthority?: string;
  readonly connectTimeoutMs?: number;
  /** A certificate to trust beside those that Node brings. */
  readonly trusted?: Buffer;
}

const ADMISSIONS_MAX = 4_096;

/** The port's laws over axios and undici: build, authenticate, send once, classify by the profile's words. */
export class HttpBillerGateway implements BillerGateway {
  private readonly compiled = new CompiledProfiles();
  private readonly transport: UndiciTransport;
  private readonly credentials: Credentials;
  private readonly clock: Clock;
  private readonly admissions = new Map<string, Admission>();

  constructor(private readonly options: HttpBillerGatewayOptions) {
    this.clock = options.clock;
    const { hosts, connectTimeoutMs, trusted } = options;
    this.transport = new UndiciTransport(hosts, {
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(trusted === undefined ? {} : { trusted }),
    });
    this.credentials = new Credentials(
      this.transport,
      options.secrets,
      options.tokens,
      () => this.clock.monotonicMs(),
      options.tokenAuthority,
    );
  }

  async prepare(request: PrepareRequest): Promise<PreparedCall> {
    const compiled = this.compile(request.profile);
    const built = await buildRequest(compiled, request);
    const credential = await this.credentials.of(compiled.document);
    const expected = compiled.requests.get(actionOf(request.row.dataType))?.format === 'xml' ? 'xml' : 'json';
    return {
      requestHash: this.options.digest(`${built.method}\n${built.url}\n${built.body}`),
      send: async (timing) => {
        const outcome = await this.send(compiled, built, credential, expected, timing);
        await this.admission(request.profile).note(outcome);
        return outcome;
      },
    };
  }

  async inquire(request: InquireRequest): Promise<InquiryAnswer> {
    try {
      if (this.admission(request.profile).openForMs() > 0) return { answer: 'unavailable' };
      const compiled = this.compile(request.profile);
      const deadline = this.deadline({
        since: this.clock.monotonicMs(),
        sendWithinMs: Math.min(request.timeoutMs, compiled.inquiry?.timeoutMs ?? 0),
      });
      return (await withinDeadline(deadline, () => this.ask(compiled, request, deadline))) ?? { answer: 'unavailable' };
    } catch {
      return { answer: 'unavailable' };
    }
  }

  permit(profile: BillerProfile, options: PermitOptions): Promise<Permit> {
    return this.admission(profile).permit(options.ratePerSecond ?? profile.limits.perSecond, options);
  }

  /** Waits for the answers under way; new calls are refused by the transport. */
  close(): Promise<void> {
    return this.transport.close();
  }

  private async send(
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
        answer = (await this.repeatWithNewCredential(compiled, built, credential, deadline)) ?? answer;
      return await classify(compiled, readAnswer(answer, expected), msOf(this.clock.now()));
    } catch (error) {
      if (error instanceof ExchangeFailure) return classifyFailure(error, lateByMs());
      // Never thrown on: the request may have left, and only `unknown` is true of that.
      return { kind: 'unknown', code: 'gateway-failed' };
    }
  }

  /** Undefined: there was no new credential or no time left, and nothing more was sent. */
  private async repeatWithNewCredential(
    compiled: CompiledProfile,
    built: HttpRequest,
    refused: Credential,
    deadline: Deadline,
  ): Promise<HttpAnswer | undefined> {
    const renewed = await withinDeadline(deadline, async () => {
      await refused.forget();
      return this.credentials.of(compiled.document);
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
    let credential = await this.credentials.of(compiled.document);
    const exchange = (asked: HttpRequest): Promise<HttpAnswer> =>
      this.transport.exchange(withCredential(asked, credential), deadline);
    return askStatus(compiled, request, async (asked) => {
      const answer = await exchange(asked);
      if (answer.status !== 401) return answer;
      await credential.forget();
      credential = await this.credentials.of(compiled.document);
      return exchange(asked);
    });
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
    const admission = new Admission(profile, this.options.allowance, this.clock);
    this.admissions.set(key, admission);
    if (this.admissions.size > ADMISSIONS_MAX) this.admissions.delete(this.admissions.keys().next().value!);
    return admission;
  }

  private deadline({ since, sendWithinMs }: SendTiming): Deadline {
    return { remainingMs: () => sendWithinMs - (this.clock.monotonicMs() - since) };
  }
}

const withCredential = (request: HttpRequest, credential: Credential): HttpRequest => ({
  ...request,
  headers: { ...request.headers, ...credential.headers },
});
