import { exponentEverOf } from './currencies';

/** Integer minor units (cents, haléře, fils; whole yen) and an ISO 4217 currency. Never a fraction, never a float. */
export interface Money {
  readonly minorUnits: number;
  readonly currency: string;
}

export const sameMoney = (a: Money, b: Money): boolean => a.minorUnits === b.minorUnits && a.currency === b.currency;

/**
 * Plain decimal text with exactly the currency's decimals: 1234 is `12.34` in USD, `1234` in JPY, `1.234` in KWD.
 * Undefined where the currency is not known: how many decimals an amount has is then not known either.
 */
export function decimalText({ minorUnits, currency }: Money): string | undefined {
  return Number.isSafeInteger(minorUnits) ? sumText(BigInt(minorUnits), currency) : undefined;
}

/** The same of a sum, which may be more than a number holds exactly. */
export function sumText(minorUnits: bigint, currency: string): string | undefined {
  const exponent = exponentEverOf(currency);
  if (exponent === undefined) return undefined;
  const [sign, absolute] = minorUnits < 0n ? ['-', -minorUnits] : ['', minorUnits];
  const digits = String(absolute).padStart(exponent + 1, '0');
  return exponent === 0 ? sign + digits : `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** A currency that is none may be a text of any length. */
const UNKNOWN_SHOWN_MAX = 16;

/** For people: `353.90 CZK`. Of a currency that is not known, what was received: `1234 minor units of "usd"`. */
export function moneyText(money: Money): string {
  const decimal = decimalText(money);
  if (decimal !== undefined) return `${decimal} ${money.currency}`;
  const currency =
    money.currency.length > UNKNOWN_SHOWN_MAX ? `${money.currency.slice(0, UNKNOWN_SHOWN_MAX)}…` : money.currency;
  return `${money.minorUnits} minor units of ${JSON.stringify(currency)}`;
}

export type AmountProblem = 'no-number' | 'too-many-decimals' | 'beyond-exact';

/**
 * `12.3`, `12`, `12.34`, `.80` (real exports leave the zero out), `-1` → minor units, by the digits, without a float.
 * Zeros beyond the currency's decimals are exact and taken (`1.230` USD, `5.00` JPY); any other digit there is a problem.
 */
export function minorUnitsFromText(text: string, exponent: number): number | AmountProblem {
  const match = /^(-?)(?=\.?\d)(\d*)(?:\.(\d+))?$/.exec(text);
  if (!match) return 'no-number';
  const decimals = (match[3] ?? '').replace(/0+$/, '');
  if (decimals.length > exponent) return 'too-many-decimals';
  const units = Number(match[2]! + decimals.padEnd(exponent, '0'));
  if (!Number.isSafeInteger(units)) return 'beyond-exact';
  return match[1] === '-' && units !== 0 ? -units : units;
}
