import { type lookup as systemLookup } from 'node:dns';
import { rootCertificates } from 'node:tls';
import { Axios, type AxiosAdapter } from 'axios';
import { Agent, type Dispatcher } from 'undici';
import { type AllowedHosts, problemOfUrl } from '../shared/biller-document/allowed-hosts';
import { repeatedNames } from '../shared/biller-document/header-names';
import { ADDRESS_REFUSED, addressAllowed, guardedLookup, literalAddress } from './reachable-address';
import { NODE_TIMERS, type Timers } from './timers';

/** Answers of biller APIs are small; a bigger one is not read on. */
const RESPONSE_BYTES_MAX = 256 * 1024;
/** Per origin. Admission bounds the calls; this bounds the sockets should several billers share one origin. */
const CONNECTIONS_PER_ORIGIN_MAX = 1_024;
const KEEP_ALIVE_MS = 30_000;

/** What carries requests: undici's agent, or what plays it. */
export type Carrier = Pick<Dispatcher, 'dispatch' | 'close'>;

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Told the status of an answer, for whoever watches. */
  readonly answered?: (status: number) => void;
  /** The idempotency key: seen on the finished request, once and whole, or nothing leaves. */
  readonly carries?: { readonly header: string; readonly value: string };
}

export type HttpAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/** What kept an answer from being had. `left`: whether the first byte of the request may have left. */
export type ExchangeFailureCode =
  | 'connection-refused'
  | 'dns-failed'
  | 'connect-timeout'
  | 'tls-failed'
  | 'connection-failed'
  | 'host-not-allowed'
  | 'key-not-carried'
  | 'too-late'
  | 'reset'
  | 'timed-out'
  | 'redirected'
  | 'body-too-large'
  | 'answer-malformed';

/** Whether the first byte of one request may have left. */
interface Wire {
  started: boolean;
}

export class ExchangeFailure extends Error {
  override readonly name = 'ExchangeFailure';
  constructor(
    readonly code: ExchangeFailureCode,
    readonly left: boolean,
  ) {
    super(left ? `no usable answer: ${code}` : `nothing was sent: ${code}`);
  }
}

/** Looked at right before the first byte, and bounding the wait for the answer. */
export interface Deadline {
  /** Milliseconds left; zero or less: it is over. */
  remainingMs(): number;
}

/** Every request says so much of itself; what the request names too is the request's. */
const HEADERS = {
  Accept: 'application/json, application/xml, text/xml',
  'Accept-Encoding': 'identity',
  'User-Agent': 'datapump',
};

/**
 * axios over undici. axios on node:http reaches a fifth of this rate (bench/transport.bench.ts); its own conversions
 * are switched off, bodies go in as text and come out as bytes.
 *
 * undici is used by `dispatch`, the level at which it neither follows redirects nor repeats requests, and which tells
 * the moment before the first byte (`onRequestStart`): there, and not earlier, the deadline is looked at. Waiting for
 * a connection can therefore never make bytes leave late.
 */
export class UndiciTransport {
  private readonly carrier: Carrier;
  private readonly timers: Timers;
  /**
   * Without axios' defaults: each request merges them anew, which cost half of axios' share of a call. So nothing
   * converts bodies, no status is an error, and headers are the ones given.
   */
  private readonly client = new Axios({});

  constructor(
    private readonly hosts: AllowedHosts,
    options: {
      readonly connectTimeoutMs?: number;
      readonly trusted?: Buffer;
      readonly lookup?: typeof systemLookup;
      readonly carrier?: Carrier;
      readonly timers?: Timers;
    } = {},
  ) {
    this.timers = options.timers ?? NODE_TIMERS;
    this.carrier =
      options.carrier ??
      new Agent({
        connections: CONNECTIONS_PER_ORIGIN_MAX,
        pipelining: 1,
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: 0,
        bodyTimeout: 0,
        maxHeaderSize: 16 * 1024,
        connect: {
          timeout: options.connectTimeoutMs ?? 5_000,
          lookup: guardedLookup(hosts, options.lookup),
          ...(options.trusted === undefined ? {} : { ca: [...rootCertificates, options.trusted] }),
        },
      });
  }

  /** Throws ExchangeFailure and nothing else. */
  async exchange(request: HttpRequest, deadline: Deadline): Promise<HttpAnswer> {
    const wire: Wire = { started: false };
    try {
      const { method, url, headers, body } = request;
      // Two spellings of one name: axios would keep the last of them, a biller may read the first.
      if (repeatedNames(Object.keys(headers)).length > 0) throw new ExchangeFailure('key-not-carried', false);
      const response = await this.client.request<Buffer>({
        method,
        url,
        headers: { ...HEADERS, ...headers },
        data: body,
        adapter: this.adapter(deadline, wire, request.carries),
      });
      request.answered?.(response.status);
      return { status: response.status, headers: response.headers as Record<string, string>, body: response.data };
    } catch (error) {
      // Anything else is axios failing on the request or on the answer. Its message may hold data, so it ends here.
      if (error instanceof ExchangeFailure) throw error;
      throw wire.started
        ? new ExchangeFailure('answer-malformed', true)
        : new ExchangeFailure('connection-failed', false);
    }
  }

  /** Closes idle connections at once and the others after their answers. */
  async close(): Promise<void> {
    await this.carrier.close();
  }

  private adapter(deadline: Deadline, wire: Wire, carries: HttpRequest['carries']): AxiosAdapter {
    return (config) => {
      // Looked at again here and not only when the profile was loaded: an old version may name a host no longer allowed.
      const url = config.url !== undefined && URL.canParse(config.url) ? new URL(config.url) : undefined;
      if (url === undefined || problemOfUrl(url, this.hosts) !== undefined)
        return Promise.reject(new ExchangeFailure('host-not-allowed', false));
      const headers = config.headers.toJSON() as Record<string, string>;
      if (carries && !carriesOnce(headers, carries))
        return Promise.reject(new ExchangeFailure('key-not-carried', false));
      const address = literalAddress(url.hostname);
      if (address !== undefined && !addressAllowed(address, url.hostname, this.hosts))
        return Promise.reject(new ExchangeFailure('host-not-allowed', false));
      return new Promise((resolve, reject) => {
        let settled = false;
        let abort: (() => void) | undefined;
        const fail = (failure: ExchangeFailure): void => {
          if (settled) return;
          settled = true;
          cancel();
          reject(failure);
          abort?.();
        };
        const giveUp = (): void =>
          fail(new ExchangeFailure(wire.started ? 'timed-out' : 'connect-timeout', wire.started));
        // Timers fire before sockets are read: a process that was stopped, or was busy, past the deadline looks once at
        // what has long arrived before it calls the outcome unknown.
        const cancel = this.timers.after(Math.max(0, deadline.remainingMs()), () =>
          wire.started ? this.timers.afterReads(giveUp) : giveUp(),
        );
        let status = 0;
        let answerHeaders: Record<string, string> = {};
        const chunks: Buffer[] = [];
        let size = 0;
        this.carrier.dispatch(
          {
            origin: url.origin,
            path: url.pathname + url.search,
            method: config.method!.toUpperCase(),
            headers,
            body: (config.data as string | undefined) ?? null,
          },
          {
            onRequestStart: (controller) => {
              abort = () => controller.abort(new Error('given up'));
              if (settled) return abort();
              // undici may put a request that was on the wire back into its queue in rare cases; once is all it gets.
              if (wire.started) return fail(new ExchangeFailure('reset', true));
              if (deadline.remainingMs() <= 0) return fail(new ExchangeFailure('too-late', false));
              wire.started = true;
            },
            onResponseStart: (_controller, statusCode, headers) => {
              status = statusCode;
              answerHeaders = flatHeaders(headers);
              if (statusCode >= 300 && statusCode < 400) fail(new ExchangeFailure('redirected', true));
              else if (Number(answerHeaders['content-length'] ?? 0) > RESPONSE_BYTES_MAX)
                fail(new ExchangeFailure('body-too-large', true));
            },
            onResponseData: (_controller, chunk) => {
              size += chunk.length;
              if (size > RESPONSE_BYTES_MAX) fail(new ExchangeFailure('body-too-large', true));
              else chunks.push(chunk);
            },
            onResponseEnd: () => {
              if (settled) return;
              settled = true;
              cancel();
              resolve({
                data: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks),
                status,
                statusText: '',
                headers: answerHeaders,
                config,
                request: undefined,
              });
            },
            onResponseError: (_controller, error) => fail(failureOf(error, wire.started)),
          },
        );
      });
    };
  }
}

/** Whether exactly one header of this name, in any case, stands on the request, with exactly this value. */
function carriesOnce(
  headers: Readonly<Record<string, unknown>>,
  { header, value }: NonNullable<HttpRequest['carries']>,
): boolean {
  const low = header.toLowerCase();
  const found = Object.entries(headers).filter(([name]) => name.toLowerCase() === low);
  return value !== '' && found.length === 1 && found[0]![1] === value;
}

function flatHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    flat[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return flat;
}

function failureOf(error: unknown, started: boolean): ExchangeFailure {
  const code = errorCode(error);
  if (started)
    return new ExchangeFailure(
      (error as Error).name === 'HTTPParserError' || /^(HPE_|UND_ERR_(HEADERS_OVERFLOW|RES_))/.test(code)
        ? 'answer-malformed'
        : 'reset',
      true,
    );
  if (code === ADDRESS_REFUSED) return new ExchangeFailure('host-not-allowed', false);
  if (code === 'ECONNREFUSED') return new ExchangeFailure('connection-refused', false);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return new ExchangeFailure('dns-failed', false);
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return new ExchangeFailure('connect-timeout', false);
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return new ExchangeFailure('tls-failed', false);
  return new ExchangeFailure('connection-failed', false);
}

/** A name with several addresses fails with an AggregateError; its first cause tells enough. */
function errorCode(error: unknown): string {
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  return Array.isArray(errors) && errors.length > 0 ? errorCode(errors[0]) : '';
}
