import fc from 'fast-check';
import { ValidatedMessageContracts } from '../../../src/adapters/messages/validated-message-contracts';
import { JSON_DEPTH_MAX, parseJsonKeepingBigIntegers } from '../../../src/adapters/shared/big-integers';
import { messageBody, messageBodyOfDecoded, messageProperties } from '../../../src/adapters/shared/message-body';
import { expectLinearTime } from '../../support/linear-time';

const contracts = new ValidatedMessageContracts();
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
/** Built, not parsed: as a program would hand it over that parsed it without a bound. */
function deepValue(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { value };
  return value;
}
/** Quadratic work on these texts takes minutes; linear work a few milliseconds. */
const LINEAR_MS = 2_000;

describe('a body from outside (issue 8, no 8)', () => {
  it('is JSON down to a bound, and text beyond it', () => {
    expect(messageBody(nested(JSON_DEPTH_MAX))).toEqual(JSON.parse(nested(JSON_DEPTH_MAX)));
    expect(messageBody(nested(JSON_DEPTH_MAX + 1))).toBe(nested(JSON_DEPTH_MAX + 1));
    expect(messageBody(`"${'['.repeat(1_000)}"`)).toBe('['.repeat(1_000));
    expect(messageBody(JSON.stringify('"[{\\'.repeat(1_000)))).toBe('"[{\\'.repeat(1_000));
  });

  it.each([
    ['nested lists', 100_000, nested],
    ['nested objects', 100_000, (count: number) => `${'{"a":'.repeat(count)}1${'}'.repeat(count)}`],
    ['lists that never close', 500_000, (count: number) => '['.repeat(count)],
    ['digits with a fraction', 500_000, (count: number) => `{"dpId":${'9'.repeat(count)}.5}`],
    ['digits with an exponent', 500_000, (count: number) => `{"dpId":${'9'.repeat(count)}e1}`],
    ['digits that are no number', 500_000, (count: number) => '9'.repeat(count) + 'x'],
    ['many long integers', 20_000, (count: number) => `[${Array(count).fill('12345678901234567890').join()}]`],
    ['a text that never ends', 400_000, (count: number) => `{"dpId":"${'\\"'.repeat(count)}`],
    ['a text of signs', 200_000, (count: number) => `"${'\\\\'.repeat(count)}"`],
    ['far too long a text', 5_000_000, (count: number) => `"${'x'.repeat(count)}"`],
  ])('takes time in proportion to its length: %s', (_what, length, textOf) =>
    expectLinearTime((share) => {
      const text = textOf(length * share);
      expect(() => messageBody(text)).not.toThrow();
      for (const kind of ['record', 'chunk'] as const)
        expect(contracts[kind]({ body: messageBody(text), properties: {}, correlationId: undefined })).toMatchObject({
          valid: false,
        });
    }, LINEAR_MS),
  );

  it('never throws, and tells bytes, text and decoded text alike', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        messageBody(bytes);
        messageBodyOfDecoded(Buffer.from(bytes).toString());
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        expect(messageBody(Buffer.from(text))).toEqual(messageBody(text));
      }),
    );
  });

  it('is refused by the contracts, not thrown on, however it was parsed', () => {
    const deep = deepValue(100_000);
    const record = {
      dpId: '100',
      billerId: '12',
      eventType: 'Payments',
      version: 1,
      traceId: '12:100',
      messageId: '12:100',
    };
    for (const body of [deep, { ...record, dpId: deep }, { ...record, source: deep }, { ...record, occurredAt: deep }])
      for (const kind of ['record', 'chunk'] as const)
        expect(contracts[kind]({ body, properties: { billerId: 'x' }, correlationId: undefined })).toMatchObject({
          valid: false,
        });
  });

  it('comes with properties of plain kinds', () => {
    expect(
      messageProperties({ a: 'x', b: 1, c: true, d: null, e: undefined, f: [1], g: { h: 1 }, i: Number.NaN }),
    ).toEqual({
      a: 'x',
      b: 1,
      c: true,
      f: '[1]',
      g: '{"h":1}',
      i: Number.NaN,
    });
    expect(messageProperties({ deep: deepValue(100_000) })).toEqual({ deep: 'object' });
  });

  it('keeps what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 10 }), (text) => {
        if (!/\d{16}/.test(text)) expect(parseJsonKeepingBigIntegers(text)).toEqual(JSON.parse(text));
      }),
    );
  });
});
