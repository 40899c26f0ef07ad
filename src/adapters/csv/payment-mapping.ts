import { type AmountFormat } from './amount-format';
import { type DateFormat } from './date-format';
import { type Encoding } from './encodings';

/** Where the value of one field comes from: a column, the same text for all lines, or text with `{column}` in it. */
export type FieldSource =
  | { readonly column: string; readonly whenEmpty?: string }
  | { readonly constant: string }
  | { readonly template: string };

export const MAPPED_FIELDS = [
  'source', 'externalReference', 'billerId', 'billerName', 'customerReference', 'accountNumber', 'customerName',
  'amount', 'currency', 'invoiceType', 'paidAt',
] as const; // prettier-ignore
export type MappedField = (typeof MAPPED_FIELDS)[number];

/** Which lines of an export are payments, by what a column says. A value that is in neither list is a bad line. */
export interface Direction {
  readonly column: string;
  /** Absent: every value that is not passed over. */
  readonly payment?: readonly string[];
  readonly passOver: readonly string[];
}

export interface PaymentMapping extends AmountFormat, DateFormat {
  readonly delimiter: string;
  readonly encoding?: Encoding;
  /** The columns' names where the file has no header line. */
  readonly columns?: readonly string[];
  readonly direction?: Direction;
  readonly fields: Readonly<Record<MappedField, FieldSource>>;
}

const PLACEHOLDER = /\{([^{}]+)\}/g;

/** The columns a mapping reads, with the place in it that names each. */
export const columnsOf = ({
  fields,
  direction,
}: PaymentMapping): readonly { readonly column: string; readonly place: string }[] => [
  ...MAPPED_FIELDS.flatMap((field) => {
    const source = fields[field];
    if ('column' in source) return [{ column: source.column, place: `/fields/${field}/column` }];
    if ('constant' in source) return [];
    return [...source.template.matchAll(PLACEHOLDER)].map((match) => ({
      column: match[1]!,
      place: `/fields/${field}/template`,
    }));
  }),
  ...(direction ? [{ column: direction.column, place: '/direction/column' }] : []),
];

/** What a field is on one line, as text. `placeOf` is asked once a column, not once a line. */
export function valueReader(
  source: FieldSource,
  placeOf: (column: string) => number,
): (cells: readonly string[]) => string {
  if ('constant' in source) return () => source.constant;
  if ('column' in source) {
    const [place, { whenEmpty = '' }] = [placeOf(source.column), source];
    return (cells) => cells[place]!.trim() || whenEmpty;
  }
  const parts = source.template.split(PLACEHOLDER).map((part, index) => (index % 2 === 0 ? part : placeOf(part)));
  return (cells) => parts.map((part) => (typeof part === 'string' ? part : cells[part]!.trim())).join('');
}
