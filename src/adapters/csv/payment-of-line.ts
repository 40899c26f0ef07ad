import { type PaymentLine } from '../../application/operating/load-payments';
import { exponentOf } from '../../domain/currencies';
import { billerId, ID_EXPECTED, isId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { decimalText, minorUnitsFromText } from '../../domain/money';
import { AMOUNT_MAX_MINOR_UNITS } from '../../domain/policies/validation';
import { amountReader } from './amount-format';
import { dateReader } from './date-format';
import { type Direction, MAPPED_FIELDS, type MappedField, type PaymentMapping, valueReader } from './payment-mapping';

const TEXT_LENGTH_MAX = 256;
const SHOWN_MAX = 40;
/** The decimals of the currency with most, for an amount whose currency is not known. */
const EXPONENT_MAX = 4;

/** These name a payment or an account: two that look alike must be alike, or one order is loaded, and paid, twice. */
const NAMING: readonly MappedField[] = [
  'source',
  'externalReference',
  'customerReference',
  'accountNumber',
  'invoiceType',
];
/** The classes of characters that an id refuses, but for blanks (domain/identifiers.ts). */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

type Values = Readonly<Record<MappedField, string>>;
type Cells = readonly string[];
type DistributiveOmit<T> = T extends unknown ? Omit<T, 'line'> : never;
export type LineMeaning = DistributiveOmit<PaymentLine>;

/** What the cells of a line mean. The mapping is understood once; a line costs look-ups. */
export function paymentReader(
  mapping: PaymentMapping,
  placeOf: (column: string) => number,
): (cells: Cells) => LineMeaning {
  const { fields, direction } = mapping;
  const readers = MAPPED_FIELDS.map((field) => [field, valueReader(fields[field], placeOf)] as const);
  const constant = (field: MappedField): boolean => 'constant' in fields[field];
  // Constants are in our own form, whatever the file's.
  const amounts = amountReader(constant('amount') ? {} : mapping);
  const dates = dateReader(constant('paidAt') ? {} : mapping);
  const directed = direction && directionReader(direction, placeOf(direction.column));
  return (cells) => {
    const other = directed?.(cells);
    if (other) return other;
    const value = {} as Record<MappedField, string>;
    for (const [field, read] of readers) value[field] = read(cells);
    const problems = textProblems(value);
    const amount = amountOf(value, amounts, mapping.negate === true && !constant('amount'), problems);
    const at = dateOf(value, dates, problems);
    if (problems.length > 0) return { reason: problems.join('; ') };
    return {
      payment: {
        ...value,
        billerId: billerId(value.billerId),
        amount: { minorUnits: amount!, currency: value.currency },
        paidAt: at!,
      },
    };
  };
}

/** Undefined: the line is a payment. */
function directionReader(
  { column, payment, passOver }: Direction,
  place: number,
): (cells: Cells) => LineMeaning | undefined {
  return (cells) => {
    const found = cells[place]!.trim();
    if (passOver.includes(found)) return { passedOver: `${column} is ${shown(found)}` };
    if (payment === undefined || payment.includes(found)) return undefined;
    return {
      reason: `${column} is ${shown(found)}, expected ${[...payment, ...passOver].map(shown).join(', ')} (the mapping's direction)`,
    };
  };
}

const shown = (text: string): string => JSON.stringify(text.slice(0, SHOWN_MAX));

/** Every reason at once, so that a line is mended in one go. */
function textProblems(value: Values): string[] {
  const problems: string[] = [];
  for (const field of MAPPED_FIELDS) {
    if (value[field] === '') problems.push(`${field} is empty`);
    else if (value[field].length > TEXT_LENGTH_MAX)
      problems.push(`${field} is longer than ${TEXT_LENGTH_MAX} characters`);
  }
  for (const field of NAMING)
    if (HIDDEN.test(value[field])) wrong(problems, value, field, 'visible characters alone, on one line');
  if (value.billerId !== '' && !isId(value.billerId)) wrong(problems, value, 'billerId', ID_EXPECTED);
  if (exponentOf(value.currency) === undefined)
    wrong(problems, value, 'currency', 'a code of ISO 4217 that is money, in capital letters');
  return problems;
}

function wrong(problems: string[], value: Values, field: MappedField, expected: string): void {
  if (value[field] !== '') problems.push(`${field} is ${shown(value[field])}, expected ${expected}`);
}

function amountOf(
  value: Values,
  read: (text: string) => string | undefined,
  negated: boolean,
  problems: string[],
): number | undefined {
  const { currency } = value;
  const exponent = exponentOf(currency);
  const text = read(value.amount);
  const units = text === undefined ? 'no-number' : minorUnitsFromText(text, exponent ?? EXPONENT_MAX);
  const say = (expected: string): void => wrong(problems, value, 'amount', expected);
  if (units === 'no-number') say('a number as the mapping says');
  else if (units === 'too-many-decimals') {
    // Without its currency, how many decimals an amount may have is not known.
    if (exponent !== undefined)
      say(`${exponent === 0 ? 'no decimals' : `at most ${exponent} decimals`}, as ${currency} has`);
  } else if (units === 'beyond-exact' || units > AMOUNT_MAX_MINOR_UNITS)
    say(`at most ${decimalText({ minorUnits: AMOUNT_MAX_MINOR_UNITS, currency }) ?? 'one hundred million'}`);
  else if (units <= 0) say(negated ? 'less than 0: the mapping negates the amounts' : 'more than 0');
  else return units;
  return undefined;
}

function dateOf(value: Values, read: ReturnType<typeof dateReader>, problems: string[]): Instant | undefined {
  const found = read(value.paidAt);
  if ('at' in found) return found.at;
  if (value.paidAt !== '') problems.push(`paidAt is ${shown(value.paidAt)}, ${found.problem}`);
  return undefined;
}
