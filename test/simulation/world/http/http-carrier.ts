import { type Carrier } from '../../../../src/adapters/biller-http/undici-transport';
import { type CallFault } from '../faults';
import { mixed } from '../dice';
import { type SimulatedProcess } from '../simulated-process';
import { type World } from '../world';
import { type Fate, type HttpAnswer, NOT_CONNECTED, type WireError } from './answers';
import { askedIn, type Call, type HttpRequestSeen, orderIn } from './http-billers';

type Handler = Parameters<Carrier['dispatch']>[1];

/** One send of a prepared call: what left for it, and what was heard. */
export interface Sending extends Call {
  readonly record: string;
  readonly key: string;
  left: number;
  readonly heard: Extract<Fate, { is: 'answer' }>[];
  /** What the last request was let in by. */
  credential: string | undefined;
}

/** What lets a request in, and where it stands in a trace; everything else is the same when it is sent again. */
const OF_ONE_REQUEST = new Set(['authorization', 'x-api-key', 'traceparent']);
const CONNECT_MAX_MS = 30;
const THERE_MAX_MS = 300;
const SLOW_MS = 8_000;
const SLOW_SHARE = 0.05;

/**
 * The sockets of one life of a process: undici's place, taken in virtual time. Connecting, the way there and the way
 * back are happenings of the timeline, and faults strike each of them.
 */
export class HttpCarrier implements Carrier {
  /** By record: only one call of it is under way in a process. */
  readonly sendings = new Map<string, Sending>();
  /** By record: what billers said of it when they were asked. */
  readonly told = new Map<string, HttpAnswer[]>();

  constructor(
    private readonly world: World,
    private readonly process: SimulatedProcess,
    private readonly epoch: number,
  ) {}

  readonly close = (): Promise<void> => Promise.resolve();

  readonly dispatch: Carrier['dispatch'] = (options, handler) => {
    const headers = Object.entries(options.headers as Readonly<Record<string, string>>);
    const request: HttpRequestSeen = {
      origin: String(options.origin),
      path: options.path,
      method: options.method,
      headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
      body: (options.body as string | null) ?? '',
    };
    void this.carry(request, handler);
    return true;
  };

  private async carry(request: HttpRequestSeen, handler: Handler): Promise<void> {
    const { wire } = this.world;
    const exchange = new Exchange(handler);
    const kind = request.path.endsWith('/oauth/token') ? 'token' : request.method === 'GET' ? 'inquiry' : 'request';
    const subject =
      kind === 'token' ? 'tokens' : kind === 'inquiry' ? askedIn(request).record : orderIn(request).record;
    const connected = await wire.call<WireError | 'silence' | undefined>(this.process, this.epoch, {
      site: 'connect',
      name: `http.connect(${kind} ${subject})`,
      latencyMaxMs: CONNECT_MAX_MS,
      effect: (fault, question) =>
        fault === 'biller-refused'
          ? this.world.dice.pick(NOT_CONNECTED, mixed(question, this.world.timeline.now))
          : wire.isCutOff(this.process.name, 'biller')
            ? NOT_CONNECTED[0]
            : undefined,
    });
    if (connected === 'silence') return;
    if (connected) return exchange.fail(connected);
    if (!exchange.begin()) return;
    const sending = kind === 'request' ? this.leaving(request, subject) : undefined;
    if (kind === 'inquiry') {
      const { biller, record, version } = askedIn(request);
      this.world.watch.asked(biller, record, version, this.life);
    }
    const fate = await wire.call<Fate>(this.process, this.epoch, {
      site: kind,
      name: `http.${kind}(${subject})`,
      latencyMaxMs: this.isSlow() ? SLOW_MS : THERE_MAX_MS,
      answerAfterMs: ({ afterMs }) => afterMs,
      effect: (fault, question) => this.arrive(kind, request, sending, fault, question),
    });
    if (fate.is === 'silence') return;
    if (fate.is === 'broken') {
      if (fate.head) exchange.head(fate.head);
      if (fate.head) exchange.data(fate.head.body);
      return exchange.fail(fate.error);
    }
    exchange.head(fate.answer);
    const end = (): void => {
      if (!exchange.data(fate.answer.body) || !exchange.end()) return;
      sending?.heard.push(fate);
      if (kind === 'inquiry') this.told.set(subject, [...(this.told.get(subject) ?? []), fate.answer]);
    };
    if (fate.bodyMs === 0) return end();
    wire.answer(this.process, this.epoch, fate.bodyMs, end);
  }

  private arrive(
    kind: 'token' | 'inquiry' | 'request',
    request: HttpRequestSeen,
    sending: Sending | undefined,
    fault: CallFault | undefined,
    question: number,
  ): Fate {
    const { http } = this.world;
    if (kind === 'token') return http!.token(request, fault, question);
    return kind === 'inquiry'
      ? http!.inquiry(request, fault, question)
      : http!.order(request, sending!, fault, question);
  }

  /** Right before the first byte. A call has one request; after a 401 a second one, with another credential. */
  private leaving(request: HttpRequestSeen, record: string): Sending {
    const { watch, timeline } = this.world;
    const sending = this.sendings.get(record);
    if (!sending) throw new Error(`a request of ${record} left outside of any call`);
    const { biller, version, key, requestId } = orderIn(request);
    const { attempt, heard, left } = sending;
    const mayRepeat = left === 1 && heard.length === 1 && heard[0]!.means === 'credential-refused';
    if (left > 0 && !mayRepeat) watch.violate(`gateway: ${attempt} left ${left + 1} times in one call`);
    const credential = request.headers['authorization'];
    // A changed password may come to the same; a token that was refused is never drawn again.
    if (left > 0 && credential?.startsWith('Bearer ') && credential === sending.credential)
      watch.violate(`gateway: ${attempt} was repeated with the credential that was refused`);
    if (key !== undefined && key !== sending.key)
      watch.violate(`gateway: ${attempt} shows a key that is not its record's`);
    sending.credential = credential;
    sending.left++;
    const headers = Object.entries(request.headers).filter(([name]) => !OF_ONE_REQUEST.has(name));
    const body = JSON.stringify([request.method, request.origin, request.path, headers, request.body]);
    const leaving = { biller, record, key: requestId, attempt, profileVersion: version, body, life: this.life };
    watch.callLeft(leaving, timeline.now, left > 0);
    return sending;
  }

  private isSlow(): boolean {
    const { dice, timeline, faults } = this.world;
    return !faults.isHealed && dice.fraction(mixed(dice.question('slow biller'), timeline.now)) < SLOW_SHARE;
  }

  private get life(): string {
    return `${this.process.name}#${this.epoch}`;
  }
}

/** What undici tells of one request: each thing once, and nothing after its end. */
class Exchange {
  private over = false;
  private readonly controller = { abort: () => this.fail({ code: 'UND_ERR_ABORTED' }) } as never;

  constructor(private readonly handler: Handler) {}

  /** False: it was given up before its first byte. */
  begin(): boolean {
    this.handler.onRequestStart?.(this.controller, undefined);
    return !this.over;
  }

  head({ status, headers }: HttpAnswer): void {
    if (!this.over)
      this.handler.onResponseStart?.(this.controller, status, headers as Record<string, string | string[]>);
  }

  /** In two pieces. False: nobody wants it any more. */
  data(body: string): boolean {
    const bytes = Buffer.from(body);
    const middle = bytes.length >> 1;
    for (const part of [bytes.subarray(0, middle), bytes.subarray(middle)])
      if (part.length > 0 && !this.over) this.handler.onResponseData?.(this.controller, part);
    return !this.over;
  }

  end(): boolean {
    if (this.over) return false;
    this.over = true;
    this.handler.onResponseEnd?.(this.controller, {});
    return true;
  }

  fail(shape: WireError): void {
    if (this.over) return;
    this.over = true;
    this.handler.onResponseError?.(this.controller, Object.assign(new Error('played'), shape));
  }
}
