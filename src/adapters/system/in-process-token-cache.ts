import { type Clock } from '../../application/ports/clock';
import { type FetchedToken, type TokenCache } from '../../application/ports/token-cache';

/** Not relied on at the end of a token's life: the way to the biller takes time, and clocks differ. */
const MARGIN_MAX_MS = 30_000;
const MARGIN_SHARE = 0.2;
/** One key per biller and credential; past this the oldest goes. */
const KEYS_MAX = 10_000;

/**
 * Tokens of this process alone. Per key: nothing → being fetched (all callers wait for the one fetch) → held until its
 * expiry less the margin → nothing. A failed fetch leaves nothing.
 */
export class InProcessTokenCache implements TokenCache {
  private readonly held = new Map<string, { readonly value: string; readonly usableUntilMs: number }>();
  private readonly fetching = new Map<string, Promise<string>>();

  constructor(private readonly clock: Clock) {}

  get(key: string, fetch: () => Promise<FetchedToken>): Promise<string> {
    const token = this.held.get(key);
    if (token && this.clock.monotonicMs() < token.usableUntilMs) return Promise.resolve(token.value);
    const underWay = this.fetching.get(key);
    if (underWay) return underWay;
    const fetched = this.fetch(key, fetch).finally(() => this.fetching.delete(key));
    this.fetching.set(key, fetched);
    return fetched;
  }

  forget(key: string, refused: string): Promise<void> {
    if (this.held.get(key)?.value === refused) this.held.delete(key);
    return Promise.resolve();
  }

  private async fetch(key: string, fetch: () => Promise<FetchedToken>): Promise<string> {
    // Its life is counted from before the request: the biller started counting somewhere in between.
    const askedAt = this.clock.monotonicMs();
    const { value, expiresInMs } = await fetch();
    const marginMs = Math.min(MARGIN_MAX_MS, expiresInMs * MARGIN_SHARE);
    this.held.delete(key);
    this.held.set(key, { value, usableUntilMs: askedAt + expiresInMs - marginMs });
    if (this.held.size > KEYS_MAX) this.held.delete(this.held.keys().next().value!);
    return value;
  }
}
