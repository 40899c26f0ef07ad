import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv';
import { exponentOf } from '../../domain/currencies';
import { minorUnitsFromText } from '../../domain/money';
import { THOUSANDS_SEPARATORS } from './amount-format';
import { dateFormatProblems, dateReader } from './date-format';
import { encodingNamed, ENCODINGS } from './encodings';
import { type Direction, MAPPED_FIELDS, type MappedField, type PaymentMapping } from './payment-mapping';
import { repeatedMember } from '../shared/repeated-member';

const text = { type: 'string', minLength: 1 };
const texts = { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true };
const only = (properties: Record<string, object>, optional: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

const KEYS = {
  description: text,
  delimiter: { type: 'string', pattern: '^[^"\\r\\n]$' },
  encoding: text,
  columns: { type: 'array', items: text, minItems: 1, uniqueItems: true },
  decimalSeparator: { enum: ['.', ','] },
  thousandsSeparator: { enum: THOUSANDS_SEPARATORS },
  negate: { type: 'boolean' },
  dateFormat: text,
  timeZone: text,
  twoDigitYearsFrom: { type: 'integer', minimum: 1970, maximum: 2000 },
  direction: only({ column: text, payment: texts, passOver: texts }, ['payment']),
};

const FIELD = {
  oneOf: [only({ column: text, whenEmpty: text }, ['whenEmpty']), only({ constant: text }), only({ template: text })],
};
const SCHEMA = only(
  { ...KEYS, fields: only(Object.fromEntries(MAPPED_FIELDS.map((field) => [field, FIELD]))) },
  Object.keys(KEYS),
);

/** What is expected of a key, in words. */
const EXPECTED: Readonly<Record<string, string>> = {
  delimiter: 'one character, not a quote or line end',
  encoding: `one of ${ENCODINGS.join(', ')}`,
  columns: "the columns' names from left to right, each once: the file then has no header line",
  decimalSeparator: '"." or ","',
  thousandsSeparator: '".", ",", a blank (any kind of it means all) or an apostrophe',
  negate: 'true or false',
  twoDigitYearsFrom: 'the first year that YY can mean, from 1970 to 2000',
  direction: '{ "column": …, "payment": [values], "passOver": [values] }, "payment" may be left out',
};

let compiled: ValidateFunction | undefined;
/** Compiled when a mapping is first read: every process loads this file, and few read one. */
const schemaCheck = (): ValidateFunction => (compiled ??= new Ajv({ allErrors: true }).compile(SCHEMA));

/** Every problem of a mapping file's content, or the mapping. */
export function readPaymentMapping(
  json: string,
): { readonly mapping: PaymentMapping } | { readonly problems: readonly string[] } {
  // Editors of other systems write a byte order mark.
  const text = json.replace(/^\ufeff/, '');
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (error) {
    return { problems: [`is not JSON: ${(error as Error).message}`] };
  }
  const twice = repeatedMember(text);
  if (twice !== undefined) return { problems: [`${twice}: stands twice; one definition was expected`] };
  const validate = schemaCheck();
  const wellFormed = validate(found);
  const problems = [
    ...new Set([...(wellFormed ? [] : (validate.errors ?? []).flatMap(problemOf)), ...meaningProblems(found)]),
  ];
  if (problems.length > 0) return { problems };
  const mapping = found as Omit<PaymentMapping, 'delimiter'>;
  const encoding = encodingNamed(mapping.encoding ?? 'utf-8')!;
  return { mapping: { delimiter: ',', ...mapping, encoding } };
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
  const key = /^\/(\w+)/.exec(place)?.[1] ?? '';
  if (key in EXPECTED) return [`/${key}: expected ${EXPECTED[key]}`];
  if (error.keyword === 'required') return [`${slash}/${String(error.params['missingProperty'])}: is missing`];
  if (error.keyword === 'additionalProperties')
    return [`${slash}/${String(error.params['additionalProperty'])}: is not a key of a mapping`];
  return [`${place}: ${error.message ?? error.keyword}`];
}

/** What a schema cannot say. Looked at also where the form is wrong, so that all is told at once. */
function meaningProblems(found: unknown): readonly string[] {
  if (!isObject(found)) return [];
  const said = (key: string): string | undefined => (typeof found[key] === 'string' ? found[key] : undefined);
  const problems: string[] = [];
  const encoding = said('encoding');
  if (encoding !== undefined && encodingNamed(encoding) === undefined)
    problems.push(`/encoding: expected ${EXPECTED['encoding']}`);
  const [decimal, thousands] = [said('decimalSeparator') ?? '.', said('thousandsSeparator')];
  if (thousands === decimal)
    problems.push(`/thousandsSeparator: is ${JSON.stringify(decimal)}, which is the decimal separator already`);
  const years = found['twoDigitYearsFrom'];
  const dates = {
    ...(said('dateFormat') === undefined ? {} : { dateFormat: said('dateFormat')! }),
    ...(said('timeZone') === undefined ? {} : { timeZone: said('timeZone')! }),
    ...(typeof years === 'number' ? { twoDigitYearsFrom: years } : {}),
  };
  problems.push(...dateFormatProblems(dates));
  problems.push(...directionProblems(found['direction']));
  const fields = isObject(found['fields']) ? found['fields'] : {};
  for (const field of MAPPED_FIELDS) {
    const source = fields[field];
    if (!isObject(source) || typeof source['constant'] !== 'string') continue;
    const problem = constantProblem(field, source['constant'], fields);
    if (problem !== undefined)
      problems.push(`/fields/${field}/constant: is ${JSON.stringify(source['constant'].slice(0, 40))}, ${problem}`);
  }
  return problems;
}

function directionProblems(found: unknown): readonly string[] {
  if (!isObject(found)) return [];
  const { payment, passOver } = found as Partial<Direction>;
  if (!Array.isArray(payment) || !Array.isArray(passOver)) return [];
  return payment
    .filter((value) => passOver.includes(value))
    .map((value) => `/direction: ${JSON.stringify(value)} is both a payment and passed over`);
}

/** A constant is in our own form, whatever the file's; a wrong one would make every line of the file wrong. */
function constantProblem(
  field: MappedField,
  constant: string,
  fields: Readonly<Record<string, unknown>>,
): string | undefined {
  switch (field) {
    case 'billerId':
      return /^[^\s:]{1,56}$/.test(constant) ? undefined : 'expected 1 to 56 characters without blanks or colons';
    case 'currency':
      return exponentOf(constant) === undefined ? 'expected a code of ISO 4217 that is money, such as CZK' : undefined;
    case 'amount': {
      const currency = isObject(fields['currency']) ? fields['currency']['constant'] : undefined;
      const exponent = typeof currency === 'string' ? exponentOf(currency) : undefined;
      const units = minorUnitsFromText(constant, exponent ?? 4);
      return typeof units === 'number' && units > 0
        ? undefined
        : 'expected more than 0, with a point and the decimals of the currency';
    }
    case 'paidAt': {
      const read = dateReader({})(constant);
      return 'at' in read ? undefined : read.problem;
    }
    default:
      return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
