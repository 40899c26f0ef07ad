/**
 * A card number that comes in any text from outside must not be kept: neither stored, logged nor printed (PCI DSS 3.4
 * allows first six and last four at most; only the last four are left here). A number counts as a card's where its
 * issuer prefix, its length and its check digit (Luhn) all fit, so that of our own and billers' numeric ids few are hit:
 * about one in 25 of random 16-digit numbers. A code of verification (CVV) is masked after the word that names it.
 */
interface Issuers {
  /** First digits, as a range of numbers of that many digits. */
  readonly from: string;
  readonly to: string;
  readonly lengths: readonly number[];
}

const TO_19 = [16, 17, 18, 19];
const ISSUERS: readonly Issuers[] = [
  { from: '4', to: '4', lengths: [13, 16, 18, 19] }, // Visa
  { from: '51', to: '55', lengths: [16] }, // Mastercard
  { from: '2221', to: '2720', lengths: [16] }, // Mastercard
  { from: '34', to: '34', lengths: [15] }, // American Express
  { from: '37', to: '37', lengths: [15] },
  { from: '300', to: '305', lengths: [14, ...TO_19] }, // Diners Club
  { from: '3095', to: '3095', lengths: [14, ...TO_19] },
  { from: '36', to: '36', lengths: [14, ...TO_19] },
  { from: '38', to: '39', lengths: [14, ...TO_19] },
  { from: '3528', to: '3589', lengths: TO_19 }, // JCB
  { from: '2200', to: '2204', lengths: TO_19 }, // Mir
  { from: '9792', to: '9792', lengths: [16] }, // Troy
  { from: '81', to: '82', lengths: TO_19 }, // UnionPay, RuPay
  { from: '50', to: '50', lengths: [13, 14, 15, ...TO_19] }, // Maestro, RuPay, Verve, Dankort
  { from: '56', to: '58', lengths: [13, 14, 15, ...TO_19] }, // Maestro
  { from: '6', to: '6', lengths: [13, 14, 15, ...TO_19] }, // Discover, UnionPay, Maestro, RuPay
];

const DIGITS_MIN = 13;
const DIGITS_MAX = 19;
/** So many characters between two digits still are one number: `4111 - 1111`. */
const SEPARATORS_MAX = 3;
const LEFT_READABLE = 4;

const SEPARATOR = /[\p{Z}\p{Cc}\p{Cf}\p{Pd}\p{Pc}\p{Default_Ignorable_Code_Point}./\\,+*'’`·•∙⋅−|]/u;
const OTHER_DIGIT = /[\p{Nd}\p{No}]/u;
const DECIMAL = /\p{Nd}/u;
/** So few digits hold no card number; most texts end here. */
const MANY_DIGITS = new RegExp(`(?:[\\p{Nd}\\p{No}][^\\p{Nd}\\p{No}]{0,${SEPARATORS_MAX}}){${DIGITS_MIN}}`, 'u');
const CVV =
  /(cvv2?|cvc2?|cvn2?|cav2|csc|(?:security|verification|kontroln\p{L}{1,2}|bezpe\p{L}nostn\p{L}{1,2}|ov\p{L}{1,2}ovac\p{L}{1,2}|card|karty)\s?(?:code|value|number|no|k[oó]d))((?:[^\p{L}\p{N}*]{0,6}(?:code|value|number|no|k[oó]d|is|was|je|byl))?[^\p{L}\p{N}*]{0,6})(\p{Nd}{3,4})(?![\p{Nd}])/giu;
/** UUIDs and hashes: a card number among their digits is chance. */
const OPAQUE = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,}/gi;
const NAMES_CVV = /cv[vcn]|cav2|csc|code|value|number|\bno\b|k[oó]d/i;

/** The same text with card numbers as `[card ****1111]` and verification codes as `***`. In time linear in its length; twice is once. */
export function maskCardData(text: string): string {
  const named = NAMES_CVV.test(text) ? text.replace(CVV, '$1$2***') : text;
  return named.length >= DIGITS_MIN && MANY_DIGITS.test(named) ? maskNumbers(named) : named;
}

interface Digit {
  readonly value: number;
  /** Where it begins and ends in the text. */
  readonly from: number;
  readonly to: number;
}

function maskNumbers(text: string): string {
  const opaque = [...text.matchAll(OPAQUE)].map(({ index, 0: id }) => ({ from: index, to: index + id.length }));
  let masked = '';
  let kept = 0;
  for (const run of runsOf(text)) {
    for (const [first, last] of cardsIn(run)) {
      while (opaque[0] && opaque[0].to < run[last]!.to) opaque.shift();
      if (opaque[0] && opaque[0].from <= run[first]!.from) continue;
      const tail = run
        .slice(last - LEFT_READABLE + 1, last + 1)
        .map(({ value }) => value)
        .join('');
      // The bracket is no separator: what is left joins with nothing around it to a number again.
      masked += `${text.slice(kept, run[first]!.from)}[card ****${tail}]`;
      kept = run[last]!.to;
    }
  }
  return masked + text.slice(kept);
}

/** Digits with nothing but separators between them. */
function runsOf(text: string): readonly (readonly Digit[])[] {
  const runs: Digit[][] = [];
  let run: Digit[] = [];
  let separators = 0;
  let at = 0;
  for (const character of text) {
    const value = digitOf(character);
    if (value !== undefined) {
      run.push({ value, from: at, to: at + character.length });
      separators = 0;
    } else if (run.length > 0 && (++separators > SEPARATORS_MAX || !SEPARATOR.test(character))) {
      runs.push(run);
      run = [];
      separators = 0;
    }
    at += character.length;
  }
  return [...runs, run].filter(({ length }) => length >= DIGITS_MIN);
}

/**
 * First and last digit of each card number in the run. It begins where a group of digits begins (leading zeros left
 * out) and ends where one ends: inside a longer number, such as a hash or a 20-digit id, there is none.
 */
function cardsIn(run: readonly Digit[]): readonly (readonly [number, number])[] {
  const cards: [number, number][] = [];
  const beginsGroup = (index: number): boolean => index === 0 || run[index - 1]!.to !== run[index]!.from;
  const endsGroup = (index: number): boolean => index === run.length - 1 || run[index + 1]!.from !== run[index]!.to;
  let mayBegin = false;
  for (let first = 0; first + DIGITS_MIN <= run.length; first++) {
    mayBegin = beginsGroup(first) || (mayBegin && run[first - 1]!.value === 0);
    if (!mayBegin) continue;
    const last = lastOfCard(run, first, endsGroup);
    if (last === undefined) continue;
    const before = cards.at(-1);
    // Two that overlap are masked as one, or the digits between would tell the second.
    if (before && before[1] >= first) before[1] = Math.max(before[1], last);
    else cards.push([first, last]);
  }
  return cards;
}

/** The longest that fits. */
function lastOfCard(run: readonly Digit[], first: number, endsGroup: (index: number) => boolean): number | undefined {
  for (let length = Math.min(DIGITS_MAX, run.length - first); length >= DIGITS_MIN; length--) {
    const last = first + length - 1;
    if (endsGroup(last) && isCard(run, first, length)) return last;
  }
  return undefined;
}

function isCard(run: readonly Digit[], first: number, length: number): boolean {
  const prefix = run
    .slice(first, first + 4)
    .map(({ value }) => value)
    .join('');
  const issued = ISSUERS.some(({ from, to, lengths }) => {
    const start = prefix.slice(0, from.length);
    return start >= from && start <= to && lengths.includes(length);
  });
  if (!issued) return false;
  let sum = 0;
  for (let back = 0; back < length; back++) {
    const { value } = run[first + length - 1 - back]!;
    const doubled = back % 2 === 0 ? value : value * 2;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Digits of every script, full width and raised ones too. */
function digitOf(character: string): number | undefined {
  const code = character.codePointAt(0)!;
  if (code < 128) return code >= 48 && code <= 57 ? code - 48 : undefined;
  if (!OTHER_DIGIT.test(character)) return undefined;
  const folded = character.normalize('NFKC');
  if (folded.length === 1 && folded >= '0' && folded <= '9') return Number(folded);
  if (!DECIMAL.test(character)) return undefined;
  // Unicode keeps the ten digits of a script together, from zero on.
  let zero = code;
  while (code - zero < 9 && DECIMAL.test(String.fromCodePoint(zero - 1))) zero--;
  return code - zero;
}
