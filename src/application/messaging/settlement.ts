/** What is done with a message once its work is safe. */
export type Settlement =
  | { readonly settle: 'complete' }
  | { readonly settle: 'dead-letter'; readonly reason: string; readonly description: string };

export const COMPLETE: Settlement = { settle: 'complete' };
