/** How a file writes its amounts. */
export interface AmountFormat {
  readonly decimalSeparator?: '.' | ',';
  readonly thousandsSeparator?: string;
  /** The file writes what is paid as a negative amount, as a bank's export of an account does. */
  readonly negate?: boolean;
}

/** Characters that mean the same: which blank or apostrophe a program writes cannot be seen in an editor. */
const ALIKE = ['.', ',', " \u00a0\u202f\u2009", "'\u2019"] as const; // prettier-ignore
export const THOUSANDS_SEPARATORS: readonly string[] = ALIKE.flatMap((alike) => [...alike]);

const SIGNED = /^([-+\u2212]?)(.*?)(-?)$/s;

/**
 * The reader of amounts in this format: plain text with a point and a leading minus, the digits as they were, or undefined
 * where the text is not of the format. Groups have exactly three digits: `1 23` is a damaged number, not 123.
 */
export function amountReader({
  decimalSeparator = '.',
  thousandsSeparator,
  negate = false,
}: AmountFormat): (text: string) => string | undefined {
  const alike = ALIKE.find((each) => thousandsSeparator !== undefined && each.includes(thousandsSeparator));
  const one = alike && `[${alike}]`;
  const whole = one === undefined ? '\\d*' : `(?:\\d{1,3}(?:${one}\\d{3})+|\\d*)`;
  const form = new RegExp(`^(?=\\D?\\d)(${whole})(?:[${decimalSeparator}](\\d+))?$`);
  const separators = one === undefined ? undefined : new RegExp(one, 'g');
  return (text) => {
    const [, before, digits, after] = SIGNED.exec(text)!;
    if (before !== '' && after !== '') return undefined;
    const match = form.exec(digits!);
    if (!match) return undefined;
    const integer = separators ? match[1]!.replace(separators, '') : match[1]!;
    const negative = (before !== '' && before !== '+') || after !== '';
    return `${negative !== negate ? '-' : ''}${integer}${match[2] === undefined ? '' : `.${match[2]}`}`;
  };
}
