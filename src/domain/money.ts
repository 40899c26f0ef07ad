/** Integer minor units (cents, haléře) and an ISO 4217 currency. Never a fraction, never a float. */
export interface Money {
  readonly minorUnits: number;
  readonly currency: string;
}

export const sameMoney = (a: Money, b: Money): boolean => a.minorUnits === b.minorUnits && a.currency === b.currency;

/** Plain decimal text for people and for bodies that want one: `1234` minor units are `12.34`. */
export function decimalText(money: Money): string {
  const sign = money.minorUnits < 0 ? '-' : '';
  const digits = String(Math.abs(money.minorUnits)).padStart(3, '0');
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/**
 * `12.3`, `12`, `12.34`, `.80` (real exports leave the zero out) → minor units; undefined where the text is not a plain
 * amount with two decimals at most.
 */
export function minorUnitsFromText(text: string): number | undefined {
  const match = /^(-?)(?=\.?\d)(\d{0,13})(?:\.(\d{1,2}))?$/.exec(text);
  if (!match) return undefined;
  const units = Number(match[2]) * 100 + Number((match[3] ?? '').padEnd(2, '0'));
  return match[1] === '-' ? -units : units;
}
