import { ValidateBy } from 'class-validator';

const ID = /^[^\s:]{1,56}$/;
const INSTANT = /^\d{4}-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](\d\d):(\d\d))$/;

/** One decorator, one call: class-validator's own (IsString + Matches) would cost two on each member of each message. */
function check(name: string, expected: string, holds: (value: unknown) => boolean): PropertyDecorator {
  return ValidateBy({ name, validator: { validate: holds, defaultMessage: () => expected } });
}

/** Text without blanks and colons; numbers were brought to text before. */
export const IsId = () =>
  check(
    'isId',
    'an id: 1 to 56 characters without blanks or colons',
    (value) => typeof value === 'string' && ID.test(value),
  );

export const MatchesText = (form: RegExp, expected: string) =>
  check('matchesText', expected, (value) => typeof value === 'string' && form.test(value));

/** ISO-8601 with an offset, of a day and time that exist. */
export const IsInstantWithOffset = () =>
  check('isInstantWithOffset', 'an ISO-8601 instant with an offset', isInstantWithOffset);

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
  return day <= new Date(Date.UTC(Number(value.slice(0, 4)), month, 0)).getUTCDate();
}
