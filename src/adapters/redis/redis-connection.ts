import Redis from 'ioredis';
import { type Clock } from '../../application/ports/clock';
import { PortFailure } from '../../application/ports/failures';
import { type Telemetry } from '../../application/ports/telemetry';

const COMMAND_TIMEOUT_MS = 500;
const RECONNECT_MAX_MS = 2_000;
/** After a failed command Redis is left alone this long, lest every delivery waits for a Redis that hangs. */
const REST_MS = 1_000;

const REFUSALS: ReadonlySet<string> = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM']);
/** The word that Redis begins its errors with, such as READONLY or OOM; undefined where it did not answer at all. */
const reasonOf = (error: unknown): string | undefined =>
  error instanceof Error ? /^[A-Z]{2,20}(?= )/.exec(error.message)?.[0] : undefined;

/** Instead of an answer: Redis did not do it, or it is not known whether it did. */
export const FAILED = Symbol('Redis did not do it');

/**
 * One connection to Redis for all that a process keeps there. unknown → reachable ⇄ away: it goes on trying by itself,
 * and says when Redis goes and comes, once each. No error of the driver leaves this class, for it holds the command with
 * what was to be stored.
 */
export class RedisConnection {
  private readonly redis: Redis;
  private reachable: boolean | undefined;
  private restUntilMs = -Infinity;
  /** What Redis said when it refused this connection: the commands after it only hear that there is none. */
  private reason: string | undefined;
  private opening: Promise<boolean> | undefined;

  constructor(
    private readonly options: {
      /** `redis://` or, in production, `rediss://`. */
      readonly url: string;
      /** How the process lives without Redis, for the warning: `each process fetches its own tokens`. */
      readonly meanwhile: string;
      readonly clock: Clock;
      readonly telemetry: Telemetry;
      /** Half a second where left out. */
      readonly commandTimeoutMs?: number;
    },
  ) {
    const { commandTimeoutMs = COMMAND_TIMEOUT_MS } = options;
    this.redis = new Redis(options.url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: commandTimeoutMs,
      connectTimeout: commandTimeoutMs * 4,
      // Else closing keeps the process for 2 s where Redis never answered.
      disconnectTimeout: commandTimeoutMs,
      retryStrategy: (times) => Math.min(100 * times, RECONNECT_MAX_MS),
      // What answers here has become a replica: the name of the host leads to the new primary.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.redis.on('error', (error) => {
      this.reason = reasonOf(error);
      this.note(false, this.reason);
    });
    this.redis.on('ready', () => {
      this.reason = undefined;
      this.restUntilMs = -Infinity;
      this.note(true);
    });
  }

  /** Connects, once; resolves whether Redis answered. False is no failure: it goes on trying. */
  open(): Promise<boolean> {
    return (this.opening ??= this.redis.connect().then(
      () => true,
      () => false,
    ));
  }

  /** For the start of a process: throws PortFailure `unavailable` or `not-authorized` where Redis does not serve. */
  async check(): Promise<void> {
    await this.open();
    try {
      await this.redis.eval('return 1', 0);
    } catch (error) {
      const refused = REFUSALS.has(reasonOf(error) ?? this.reason ?? '');
      throw new PortFailure(
        refused
          ? `Redis at ${this.host()} refuses the user, the password or the command EVAL: correct the URL, or the user's rights`
          : `Redis at ${this.host()} does not answer: correct its URL or start it`,
        { code: refused ? 'not-authorized' : 'unavailable', retryable: !refused, facts: { host: this.host() } },
      );
    }
  }

  /** Undefined while all is well; else what is wrong, for people who look at this process. */
  trouble(): string | undefined {
    return this.reachable === false ? `Redis at ${this.host()} does not serve; ${this.options.meanwhile}` : undefined;
  }

  /** Runs one command; FAILED when its time is over, and at once for a while after a failure. */
  async attempt<T>(command: (redis: Redis) => Promise<T>): Promise<T | typeof FAILED> {
    const { clock } = this.options;
    await this.open();
    if (clock.monotonicMs() < this.restUntilMs) return FAILED;
    try {
      const answer = await command(this.redis);
      this.note(true);
      return answer;
    } catch (error) {
      this.restUntilMs = clock.monotonicMs() + REST_MS;
      this.note(false, reasonOf(error));
      return FAILED;
    }
  }

  close(): Promise<void> {
    this.redis.disconnect();
    return Promise.resolve();
  }

  private note(reachable: boolean, reason?: string): void {
    if (this.reachable === reachable) return;
    const first = this.reachable === undefined;
    this.reachable = reachable;
    const { telemetry, meanwhile } = this.options;
    const fields = { host: this.host(), ...(reason === undefined ? {} : { reason }) };
    if (!reachable) telemetry.warn(`Redis does not serve; ${meanwhile}`, fields);
    else if (!first) telemetry.info('Redis serves again', fields);
  }

  private host(): string {
    return `${this.redis.options.host}:${this.redis.options.port}`;
  }
}
