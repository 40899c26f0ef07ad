/**
 * Access tokens of billers.
 *
 * Laws:
 *  1  While one caller fetches a token, others wait for that fetch: one fetch at a time per key (single flight).
 *  2  A token is not handed out after its expiry less a margin.
 *  3  A failed fetch is not cached; it fails every caller that waited for it.
 *  4  forget with the value that was refused drops that value only, never a newer one.
 */
export interface TokenCache {
  get(key: string, fetch: () => Promise<FetchedToken>): Promise<string>;
  forget(key: string, refused: string): Promise<void>;
}

export interface FetchedToken {
  readonly value: string;
  readonly expiresInMs: number;
}
