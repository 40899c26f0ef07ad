import { createHash, randomUUID } from 'node:crypto';
import { type Clock } from '../../application/ports/clock';
import { type FetchedToken, type TokenCache } from '../../application/ports/token-cache';
import { FAILED, type RedisConnection } from './redis-connection';

/** Not relied on at the end of a token's life: the way to the biller takes time, and clocks differ. */
const MARGIN_MAX_MS = 30_000;
const MARGIN_SHARE = 0.2;
/** Longer than any fetch (the token client gives up after 5 s): past this its owner is taken for dead. */
const LOCK_MS = 10_000;
const LOCK_POLL_MS = 50;
const DELETE_WHERE_EQUAL = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end`;

/**
 * Tokens shared by all processes. Per key: nothing → locked by one process, which fetches while the others look again
 * every LOCK_POLL_MS → held until its expiry less the margin, by Redis' clock → nothing. The lock carries a word of its
 * owner, so that an owner that was too slow takes away no other's; past LOCK_MS a waiting process fetches itself.
 * A failed fetch fails the callers of its process; another process then tries once itself.
 *
 * Redis is a convenience: whatever fails there, the caller is served by `fallback`, the cache of this process.
 */
export class RedisTokenCache implements TokenCache {
  private readonly namespace: string;
  private readonly underWay = new Map<string, Promise<string>>();

  constructor(
    private readonly options: {
      readonly connection: RedisConnection;
      /** Serves this process while Redis does not. */
      readonly fallback: TokenCache;
      readonly clock: Clock;
      /** Before every key; `datapump` unless two installations share one Redis. */
      readonly namespace?: string;
    },
  ) {
    this.namespace = options.namespace ?? 'datapump';
  }

  get(key: string, fetch: () => Promise<FetchedToken>): Promise<string> {
    const known = this.underWay.get(key);
    if (known) return known;
    const got = this.shared(key, fetch).finally(() => this.underWay.delete(key));
    this.underWay.set(key, got);
    return got;
  }

  async forget(key: string, refused: string): Promise<void> {
    const { connection, fallback } = this.options;
    await fallback.forget(key, refused);
    await connection.attempt((redis) => redis.eval(DELETE_WHERE_EQUAL, 1, this.tokenKey(key), refused));
  }

  private async shared(key: string, fetch: () => Promise<FetchedToken>): Promise<string> {
    const { clock, connection, fallback } = this.options;
    const word = randomUUID();
    const waitUntil = clock.monotonicMs() + LOCK_MS;
    for (;;) {
      const held = await connection.attempt((redis) => redis.get(this.tokenKey(key)));
      if (held === FAILED) return fallback.get(key, fetch);
      if (held !== null) return held;
      const locked = await connection.attempt((redis) => redis.set(this.lockKey(key), word, 'PX', LOCK_MS, 'NX'));
      if (locked === FAILED) return fallback.get(key, fetch);
      if (locked === 'OK' || clock.monotonicMs() >= waitUntil) break;
      await clock.sleep(LOCK_POLL_MS);
    }
    try {
      // The one before may have stored it between our look and our lock.
      const held = await connection.attempt((redis) => redis.get(this.tokenKey(key)));
      return typeof held === 'string' ? held : await this.fetchAndStore(key, fetch);
    } finally {
      await connection.attempt((redis) => redis.eval(DELETE_WHERE_EQUAL, 1, this.lockKey(key), word));
    }
  }

  private async fetchAndStore(key: string, fetch: () => Promise<FetchedToken>): Promise<string> {
    const { clock, connection, fallback } = this.options;
    // Its life is counted from before the request: the biller started counting somewhere in between.
    const askedAt = clock.monotonicMs();
    const token = await fetch();
    const marginMs = Math.min(MARGIN_MAX_MS, token.expiresInMs * MARGIN_SHARE);
    const usableMs = Math.floor(token.expiresInMs - marginMs - (clock.monotonicMs() - askedAt));
    if (usableMs < 1) return token.value;
    const stored = await connection.attempt((redis) => redis.set(this.tokenKey(key), token.value, 'PX', usableMs));
    if (stored !== FAILED) return token.value;
    return fallback.get(key, () => Promise.resolve({ value: token.value, expiresInMs: usableMs }));
  }

  // Hashed: a key names URLs and scopes of any length, and nobody has to read them in Redis.
  private tokenKey(key: string): string {
    return `${this.namespace}:token:${createHash('sha256').update(key).digest('hex')}`;
  }

  private lockKey(key: string): string {
    return `${this.namespace}:token-lock:${createHash('sha256').update(key).digest('hex')}`;
  }
}
