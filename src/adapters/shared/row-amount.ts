import { invariant } from '../../domain/invariant';

/** Stands for what no JavaScript number holds exactly. Small enough that the sum of many such rows is still exact. */
export const BEYOND_EXACT = 99_999_999_999;

/**
 * Minor units as a database holds them. Databases hold what no payment can be: 64-bit numbers that would be rounded,
 * nothing, a fraction in a column without a type. Such a row must be rejected alone and stop no other, so its amount
 * becomes one that validation refuses: BEYOND_EXACT with its sign, or 0 for what is no whole number.
 */
export function rowAmount(stored: string | number | bigint | null): number {
  const text = String(stored ?? '');
  if (!/^-?\d+$/.test(text)) return 0;
  const units = Number(text);
  if (Number.isSafeInteger(units)) return units === 0 ? 0 : units;
  return units < 0 ? -BEYOND_EXACT : BEYOND_EXACT;
}

/** A sum is never rounded: money that does not add up must be noticed. */
export function sumOfAmounts(sum: string | number | bigint, of: string): number {
  const units = Number(sum);
  invariant(Number.isSafeInteger(units), `the amounts of ${of} sum to ${sum}, beyond exact numbers`);
  return units;
}
