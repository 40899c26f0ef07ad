import { ValidateBy } from 'class-validator';
import { ID_EXPECTED, isId } from '../../domain/identifiers';
import { instantFromMs, isPlausible, PLAUSIBLE_TEXT } from '../../domain/instant';

const INSTANT = /^\d{4}-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](\d\d):(\d\d))$/;

/** One decorator, one call: class-validator's own (IsString + Matches) would cost two on each member of each message. */
function check(name: string, expected: string, holds: (value: unknown) => boolean): PropertyDecorator {
  return ValidateBy({ name, validator: { validate: holds, defaultMessage: () => expected } });
}

/** Numbers were brought to text before. */
export const IsId = () => check('isId', ID_EXPECTED, (value) => typeof value === 'string' && isId(value));

export const MatchesText = (form: RegExp, expected: string) =>
  check('matchesText', expected, (value) => typeof value === 'string' && form.test(value));

/** ISO-8601 with an offset, of a day and time that exist and are plausible: a program's default (0001-01-01) is none. */
export const IsInstantWithOffset = () =>
  check('isInstantWithOffset', `an ISO-8601 instant with an offset, ${PLAUSIBLE_TEXT}`, isInstantWithOffset);

export const IsOneOf = (values: readonly unknown[]) =>
  check('isOneOf', values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`, (value) =>
    values.includes(value),
  );

function isInstantWithOffset(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const parts = INSTANT.exec(value);
  if (!parts) return false;
  const [month, day, hour, minute, second, offsetHour, offsetMinute] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return false;
  if (offsetHour > 23 || offsetMinute > 59) return false;
  const year = Number(value.slice(0, 4));
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return false;
  // Only at the ends of the range does the offset matter.
  return (
    (year > 1970 && year < 2099) || (year >= 1970 && year <= 2099 && isPlausible(instantFromMs(Date.parse(value))))
  );
}
