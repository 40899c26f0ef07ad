import fc from 'fast-check';
import { requestContext } from '../../src/adapters/biller-http/request-context';
import { readSubmission } from '../../src/adapters/sandbox-biller/sandbox-submission';
import { CURRENCIES, exponentOf } from '../../src/domain/currencies';
import { minorUnitsFromText } from '../../src/domain/money';
import { paymentRow, profileOf } from '../support/biller-fixtures';

const profile = profileOf('json-basic-neither', 'https://biller.example');
const paymentIn = (minorUnits: number, currency: string) =>
  (requestContext(profile, paymentRow({ payment: { ...paymentRow().payment!, amount: { minorUnits, currency } } }), 'key') as { payment: object }).payment; // prettier-ignore

describe('money in a request (issue 8, no 3)', () => {
  it.each([
    [1234, 'JPY', '1234', 0],
    [1234, 'EUR', '12.34', 2],
    [1234, 'KWD', '1.234', 3],
    [5, 'CLF', '0.0005', 4],
  ])('%d of %s is %s', (minorUnits, currency, amount, amountExponent) => {
    expect(paymentIn(minorUnits, currency)).toMatchObject({
      amountMinorUnits: minorUnits,
      amount,
      amountExponent,
      currency,
    });
  });

  it('has the decimals of its currency, whatever the currency', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CURRENCIES),
        fc.integer({ min: 1, max: 10_000_000_000 }),
        (currency, minorUnits) => {
          const { amount, amountExponent } = paymentIn(minorUnits, currency) as {
            readonly amount: string;
            readonly amountExponent: number;
          };
          expect(amountExponent).toBe(exponentOf(currency));
          expect(minorUnitsFromText(amount, amountExponent)).toBe(minorUnits);
        },
      ),
    );
  });

  it.each(['ZZZ', 'usd', 'XXX', 'HRK', ''])('the sandbox biller takes no %j', (currency) => {
    const body = JSON.stringify({ reference: '12:1', amountMinorUnits: 5, currency });
    const biller = { billerId: '12', format: 'json' } as unknown as Parameters<typeof readSubmission>[2];
    expect(() => readSubmission(body, 'Payments', biller, undefined)).toThrow('currency must be a code of ISO 4217');
    expect(
      readSubmission(body.replace(/"currency":".*?"/, '"currency":"KWD"'), 'Payments', biller, undefined).currency,
    ).toBe('KWD');
  });
});

describe('the account in a request (issue 8, no 2)', () => {
  const accountIn = (accountNumber: string) =>
    (requestContext(profile, paymentRow({ customer: { ...paymentRow().customer!, accountNumber } }), 'key') as { customer: { accountNumber?: string } }).customer.accountNumber; // prettier-ignore

  it.each(['', ' ', '\u00a0', '\u200b', '\u2060\u3164', '\n'])(
    'is missing where a person could read nothing in it: %j',
    (text) => {
      expect(accountIn(text)).toBeUndefined();
    },
  );

  it.each(['0', 'A&1', ' 12 ', '000123'])('is what the shard holds otherwise: %j', (text) => {
    expect(accountIn(text)).toBe(text);
  });
});
