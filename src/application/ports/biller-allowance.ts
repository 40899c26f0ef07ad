import { type BillerId } from '../../domain/identifiers';

/**
 * A biller's rate, counted over all processes that call it.
 *
 * Laws:
 *  1  In any second, all takers of one biller together get at most `perSecond` (plus one burst of the same size).
 *  2  take answers at once: how many were granted (0 to `wanted`), and when to ask again.
 *  3  Losing a process loses its unused allowance, never more.
 */
export interface BillerAllowance {
  take(
    biller: BillerId,
    request: { readonly perSecond: number; readonly wanted: number },
  ): Promise<{ readonly granted: number; readonly retryAfterMs: number }>;
}
