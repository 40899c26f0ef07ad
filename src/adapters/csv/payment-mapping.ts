import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv';

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

export interface PaymentMapping {
  readonly delimiter: string;
  readonly fields: Readonly<Record<MappedField, FieldSource>>;
}

const text = { type: 'string', minLength: 1 };
const only = (properties: Record<string, object>, optional: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

const SCHEMA = only(
  {
    description: text,
    delimiter: { type: 'string', pattern: '^[^"\\r\\n]$' },
    fields: only(
      Object.fromEntries(
        MAPPED_FIELDS.map((field) => [
          field,
          {
            oneOf: [
              only({ column: text, whenEmpty: text }, ['whenEmpty']),
              only({ constant: text }),
              only({ template: text }),
            ],
          },
        ]),
      ),
    ),
  },
  ['description', 'delimiter'],
);

let compiled: ValidateFunction | undefined;
/** Compiled when a mapping is first read: every process loads this file, and few read one. */
const schemaCheck = (): ValidateFunction => (compiled ??= new Ajv({ allErrors: true }).compile(SCHEMA));

/** Every problem of a mapping file's content, or the mapping. */
export function readPaymentMapping(
  json: string,
): { readonly mapping: PaymentMapping } | { readonly problems: readonly string[] } {
  let found: unknown;
  try {
    found = JSON.parse(json);
  } catch (error) {
    return { problems: [`is not JSON: ${(error as Error).message}`] };
  }
  const validate = schemaCheck();
  if (!validate(found)) return { problems: [...new Set((validate.errors ?? []).flatMap(problemOf))] };
  const mapping = found as { delimiter?: string; fields: PaymentMapping['fields'] };
  return { mapping: { delimiter: mapping.delimiter ?? ',', fields: mapping.fields } };
}

/** A field that fits none of the three forms is one problem, not one for each form. */
function problemOf(error: ErrorObject): readonly string[] {
  const place = error.instancePath === '' ? '/' : error.instancePath;
  const field = /^\/fields\/(\w+)/.exec(error.instancePath)?.[1];
  if (field !== undefined) {
    return [
      `/fields/${field}: expected { "column": … }, { "constant": … } or { "template": … }, with "whenEmpty" only beside "column"`,
    ];
  }
  const slash = place === '/' ? '' : place;
  if (error.keyword === 'required') return [`${slash}/${String(error.params['missingProperty'])}: is missing`];
  if (error.keyword === 'additionalProperties')
    return [`${slash}/${String(error.params['additionalProperty'])}: is not a key of a mapping`];
  if (error.keyword === 'pattern') return [`${place}: expected one character, not a quote or line end`];
  return [`${place}: ${error.message ?? error.keyword}`];
}

const PLACEHOLDER = /\{([^{}]+)\}/g;

/** The columns a mapping reads, with the place in it that names each. */
export const columnsOf = ({ fields }: PaymentMapping): readonly { readonly column: string; readonly place: string }[] =>
  MAPPED_FIELDS.flatMap((field) => {
    const source = fields[field];
    if ('column' in source) return [{ column: source.column, place: `/fields/${field}/column` }];
    if ('constant' in source) return [];
    return [...source.template.matchAll(PLACEHOLDER)].map((match) => ({
      column: match[1]!,
      place: `/fields/${field}/template`,
    }));
  });

/** What a field is on one line, as text. */
export function valueOf(source: FieldSource, cell: (column: string) => string): string {
  if ('constant' in source) return source.constant;
  if ('template' in source) return source.template.replace(PLACEHOLDER, (_, column: string) => cell(column));
  const value = cell(source.column);
  return value === '' ? (source.whenEmpty ?? '') : value;
}
