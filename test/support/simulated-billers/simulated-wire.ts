import { type Carrier } from '../../../src/adapters/biller-http/undici-transport';
import { type SimulatedAnswer } from './answers';
import { type VirtualTime } from './virtual-time';

export interface WireError {
  readonly code?: string;
  readonly name?: string;
  readonly errors?: readonly { readonly code: string }[];
}

/** What becomes of one request. */
export interface Fate {
  readonly connectMs: number;
  /** No connection comes about. */
  readonly refused?: WireError;
  /** The process is held up for so long right before the first byte. */
  readonly stallMs?: number;
  /** The effect happens so long after the request has arrived, whatever becomes of the answer. */
  readonly effectMs?: number;
  readonly then:
    | { readonly kind: 'silence' }
    | { readonly kind: 'broken'; readonly afterMs: number; readonly inBody: boolean; readonly error: WireError }
    /** undici puts it back into its queue, as after a reset of a reused connection. */
    | { readonly kind: 'queued-again'; readonly afterMs: number }
    | { readonly kind: 'answer'; readonly headMs: number; readonly bodyMs: number; readonly answer: SimulatedAnswer };
}

export interface WireRequest {
  readonly origin: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly at: number;
  leftAt?: number;
  effectAt?: number;
  endedAt?: number;
}

/** The socket, and what lies behind it: plays the fate of each request in virtual time, and remembers what happened. */
export class SimulatedWire implements Carrier {
  readonly requests: WireRequest[] = [];

  constructor(
    private readonly time: VirtualTime,
    private readonly fateOf: (request: WireRequest) => Fate,
  ) {}

  readonly close = (): Promise<void> => Promise.resolve();

  readonly dispatch: Carrier['dispatch'] = (options, handler) => {
    const { time } = this;
    const request: WireRequest = {
      origin: String(options.origin),
      path: options.path,
      method: options.method,
      headers: Object.fromEntries(
        Object.entries(options.headers as Record<string, string>).map(([name, value]) => [name.toLowerCase(), value]),
      ),
      body: (options.body as string | undefined) ?? '',
      at: time.monotonicMs(),
    };
    this.requests.push(request);
    const fate = this.fateOf(request);
    const fails = (shape: WireError): void => {
      if (request.endedAt !== undefined) return;
      request.endedAt = time.monotonicMs();
      handler.onResponseError?.(controller as never, Object.assign(new Error('played'), shape));
    };
    const controller = { abort: () => fails({ code: 'UND_ERR_ABORTED' }) };
    const unlessOver = (ms: number, work: () => void): void => {
      const run = (): void => (request.endedAt === undefined ? work() : undefined);
      if (ms === 0) run();
      else setTimeout(run, ms);
    };
    const begin = (): void => {
      if (fate.refused) return fails(fate.refused);
      time.stall(fate.stallMs ?? 0);
      handler.onRequestStart?.(controller as never, undefined);
      if (request.endedAt !== undefined) return;
      request.leftAt = time.monotonicMs();
      if (fate.effectMs !== undefined) setTimeout(() => (request.effectAt = time.monotonicMs()), fate.effectMs);
      const { then } = fate;
      const head = ({ status, headers }: SimulatedAnswer): void =>
        handler.onResponseStart?.(controller as never, status, headers);
      switch (then.kind) {
        case 'silence':
          return;
        case 'queued-again':
          return unlessOver(then.afterMs, () => handler.onRequestStart?.(controller as never, undefined));
        case 'broken':
          return unlessOver(then.afterMs, () => {
            if (then.inBody) {
              head({ status: 200, headers: { 'content-type': 'application/json' }, body: '' });
              handler.onResponseData?.(controller as never, Buffer.from('{"status":"accepted"}'));
            }
            fails(then.error);
          });
        case 'answer':
          return unlessOver(then.headMs, () => {
            head(then.answer);
            unlessOver(then.bodyMs, () => {
              const bytes = Buffer.from(then.answer.body);
              const middle = bytes.length >> 1;
              for (const part of [bytes.subarray(0, middle), bytes.subarray(middle)])
                if (part.length > 0 && request.endedAt === undefined)
                  handler.onResponseData?.(controller as never, part);
              if (request.endedAt !== undefined) return;
              request.endedAt = time.monotonicMs();
              handler.onResponseEnd?.(controller as never, {});
            });
          });
      }
    };
    setTimeout(begin, fate.connectMs);
    return true;
  };
}
