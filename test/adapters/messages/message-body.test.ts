import fc from 'fast-check';
import { ValidatedMessageContracts } from '../../../src/adapters/messages/validated-message-contracts';
import { JSON_DEPTH_MAX, parseJsonKeepingBigIntegers } from '../../../src/adapters/shared/big-integers';
import { messageBody, messageBodyOfDecoded, messageProperties } from '../../../src/adapters/shared/message-body';

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
    ['nested lists', nested(100_000)],
    ['nested objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['lists that never close', '['.repeat(500_000)],
    ['digits with a fraction', `{"dpId":${'9'.repeat(500_000)}.5}`],
    ['digits with an exponent', `{"dpId":${'9'.repeat(500_000)}e1}`],
    ['digits that are no number', '9'.repeat(500_000) + 'x'],
    ['many long integers', `[${Array.from({ length: 20_000 }, () => '12345678901234567890').join()}]`],
    ['a text that never ends', `{"dpId":"${'\\"'.repeat(400_000)}`],
    ['a text of signs', `"${'\\\\'.repeat(200_000)}"`],
    ['far too long a text', `"${'x'.repeat(5_000_000)}"`],
  ])('takes time in proportion to its length: %s', (_what, text) => {
    const began = performance.now();
    expect(() => messageBody(text)).not.toThrow();
    for (const kind of ['record', 'chunk'] as const)
      expect(contracts[kind]({ body: messageBody(text), properties: {}, correlationId: undefined })).toMatchObject({
        valid: false,
      });
    expect(performance.now() - began).toBeLessThan(LINEAR_MS);
  });

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
