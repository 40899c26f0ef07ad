import { createHash, randomUUID } from 'node:crypto';
import Redis from 'ioredis';
import { type Clock } from '../../application/ports/clock';
import { PortFailure } from '../../application/ports/failures';
import { type Telemetry } from '../../application/ports/telemetry';
import { type FetchedToken, type TokenCache } from '../../application/ports/token-cache';

/** Not relied on at the end of a token's life: the way to the biller takes time, and clocks differ. */
const MARGIN_MAX_MS = 30_000;
const MARGIN_SHARE = 0.2;
/** Longer than any fetch (the token client gives up after 5 s): past this its owner is taken for dead. */
const LOCK_MS = 10_000;
const LOCK_POLL_MS = 50;
const COMMAND_TIMEOUT_MS = 500;
const RECONNECT_MAX_MS = 2_000;
/** After a failed command Redis is left alone this long, lest every delivery waits for a Redis that hangs. */
const REST_MS = 1_000;

const DELETE_WHERE_EQUAL = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end`;

/**
 * Tokens shared by all processes. Per key: nothing → locked by one process, which fetches while the others look again
 * every LOCK_POLL_MS → held until its expiry less the margin, by Redis' clock → nothing. The lock carries a word of its
 * owner, so that an owner that was too slow takes away no other's; past LOCK_MS a waiting process fetches itself.
 * A failed fetch fails the callers of its process; another process then tries once itself.
 *
 * Redis is a convenience: whatever fails there, the caller is served by `fallback`, the cache of this process. No error of
 * the driver leaves this class, for it holds the command with the token in it.
 */
export class RedisTokenCache implements TokenCache {
  private readonly redis: Redis;
  private readonly namespace: string;
  private readonly underWay = new Map<string, Promise<string>>();
  private reachable: boolean | undefined;
  private restUntilMs = -Infinity;

  constructor(
    private readonly options: {
      /** `redis://` or, in production, `rediss://`. */
      readonly url: string;
      /** Serves this process while Redis does not. */
      readonly fallback: TokenCache;
      readonly clock: Clock;
      readonly telemetry: Telemetry;
      /** Before every key; `datapump` unless two installations share one Redis. */
      readonly namespace?: string;
    },
  ) {
    this.namespace = options.namespace ?? 'datapump';
    this.redis = new Redis(options.url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: COMMAND_TIMEOUT_MS * 4,
      // Else closing keeps the process for 2 s where Redis never answered.
      disconnectTimeout: COMMAND_TIMEOUT_MS,
      retryStrategy: (times) => Math.min(100 * times, RECONNECT_MAX_MS),
    });
    this.redis.on('error', () => this.note(false));
    this.redis.on('ready', () => {
      this.restUntilMs = -Infinity;
      this.note(true);
    });
  }

  /** Connects; resolves whether Redis answered. False is no failure: it goes on trying, and `fallback` serves meanwhile. */
  async open(): Promise<boolean> {
    try {
      await this.redis.connect();
      return true;
    } catch {
      return false;
    }
  }

  /** For the start of a process: throws PortFailure `unavailable` or `not-authorized` where Redis does not serve. */
  async check(): Promise<void> {
    try {
      await this.redis.ping();
    } catch (error) {
      const refused = error instanceof Error && /^(NOAUTH|WRONGPASS|NOPERM)\b/.test(error.message);
      throw new PortFailure(
        refused
          ? `Redis at ${this.host()} refuses the user or the password: correct them in its URL`
          : `Redis at ${this.host()} does not answer, expected PONG: correct its URL or start it`,
        { code: refused ? 'not-authorized' : 'unavailable', retryable: !refused, facts: { host: this.host() } },
      );
    }
  }

  get(key: string, fetch: () => Promise<FetchedToken>): Promise<string> {
    const known = this.underWay.get(key);
    if (known) return known;
    const got = this.shared(key, fetch).finally(() => this.underWay.delete(key));
    this.underWay.set(key, got);
    return got;
  }

  async forget(key: string, refused: string): Promise<void> {
    await this.options.fallback.forget(key, refused);
    await this.attempt(() => this.redis.eval(DELETE_WHERE_EQUAL, 1, this.tokenKey(key), refused));
  }

  close(): Promise<void> {
    this.redis.disconnect();
    return Promise.resolve();
  }

  private async shared(key: string, fetch: () => Promise<FetchedToken>): Promise<string> {
    const { clock, fallback } = this.options;
    const word = randomUUID();
    const waitUntil = clock.monotonicMs() + LOCK_MS;
    for (;;) {
      const held = await this.attempt(() => this.redis.get(this.tokenKey(key)));
      if (held === FAILED) return fallback.get(key, fetch);
      if (held !== null) return held;
      const locked = await this.attempt(() => this.redis.set(this.lockKey(key), word, 'PX', LOCK_MS, 'NX'));
      if (locked === FAILED) return fallback.get(key, fetch);
      if (locked === 'OK' || clock.monotonicMs() >= waitUntil) break;
      await clock.sleep(LOCK_POLL_MS);
    }
    try {
      // The one before may have stored it between our look and our lock.
      const held = await this.attempt(() => this.redis.get(this.tokenKey(key)));
      return typeof held === 'string' ? held : await this.fetchAndStore(key, fetch);
    } finally {
      await this.attempt(() => this.redis.eval(DELETE_WHERE_EQUAL, 1, this.lockKey(key), word));
    }
  }

  private async fetchAndStore(key: string, fetch: () => Promise<FetchedToken>): Promise<string> {
    const { clock, fallback } = this.options;
    // Its life is counted from before the request: the biller started counting somewhere in between.
    const askedAt = clock.monotonicMs();
    const token = await fetch();
    const marginMs = Math.min(MARGIN_MAX_MS, token.expiresInMs * MARGIN_SHARE);
    const usableMs = Math.floor(token.expiresInMs - marginMs - (clock.monotonicMs() - askedAt));
    if (usableMs < 1) return token.value;
    const stored = await this.attempt(() => this.redis.set(this.tokenKey(key), token.value, 'PX', usableMs));
    if (stored !== FAILED) return token.value;
    return fallback.get(key, () => Promise.resolve({ value: token.value, expiresInMs: usableMs }));
  }

  private async attempt<T>(command: () => Promise<T>): Promise<T | typeof FAILED> {
    const { clock } = this.options;
    if (clock.monotonicMs() < this.restUntilMs) return FAILED;
    try {
      const answer = await command();
      this.note(true);
      return answer;
    } catch {
      this.restUntilMs = clock.monotonicMs() + REST_MS;
      this.note(false);
      return FAILED;
    }
  }

  /** Says when Redis goes and comes, once each. */
  private note(reachable: boolean): void {
    if (this.reachable === reachable) return;
    const first = this.reachable === undefined;
    this.reachable = reachable;
    const fields = { host: this.host() };
    if (!reachable)
      this.options.telemetry.warn('Redis does not serve tokens; each process keeps its own meanwhile', fields);
    else if (!first) this.options.telemetry.info('Redis serves tokens again', fields);
  }

  private host(): string {
    return `${this.redis.options.host}:${this.redis.options.port}`;
  }

  // Hashed: a key names URLs and scopes of any length, and nobody has to read them in Redis.
  private tokenKey(key: string): string {
    return `${this.namespace}:token:${createHash('sha256').update(key).digest('hex')}`;
  }

  private lockKey(key: string): string {
    return `${this.namespace}:token-lock:${createHash('sha256').update(key).digest('hex')}`;
  }
}

const FAILED = Symbol('Redis did not do it');
