import { recordBody } from '../../support/record-messages';
import { shown } from '../../../src/adapters/messages/shown';
import { ValidatedMessageContracts } from '../../../src/adapters/messages/validated-message-contracts';
import { type Carried } from '../../../src/application/messaging/messages';

const contracts = new ValidatedMessageContracts();
const carried = (body: unknown): Carried => ({ body, properties: {}, correlationId: undefined });
const RECORD = recordBody();
const CHUNK = { billerId: '12', dpStart: '9', dpEnd: '10', messageId: '12:9+10' };
const problemsOf = (body: unknown): readonly string[] => {
  const checked = contracts.record(carried(body));
  return checked.valid ? [] : checked.problems;
};
const problemsOfChunk = (body: object): readonly string[] => {
  const checked = contracts.chunk(carried({ ...CHUNK, ...body }));
  return checked.valid ? [] : checked.problems;
};

describe('a time in a message, at the borders of what there is (issue 9, no 16)', () => {
  it.each([
    '1970-01-01T00:00:00Z',
    '1970-01-01T01:00:00+01:00',
    '1970-01-01T00:00:00-00:01',
    '2099-12-31T23:59:59Z',
    '2099-12-31T22:59:59-01:00',
    '2026-01-01T00:00:00Z',
    '2026-12-31T23:59:59Z',
    '2024-02-29T00:00:00Z',
    '2026-11-20T08:00:00+23:59',
    '2026-11-20T08:00:00-23:59',
    '2026-11-20T08:00:00.123456789Z',
  ])('%s is one', (occurredAt) => {
    expect(problemsOf({ ...RECORD, occurredAt })).toEqual([]);
  });

  it.each([
    '1970-01-01T00:00:00+00:01',
    '1969-12-31T23:59:59Z',
    '1969-06-01T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '2099-12-31T23:59:59-00:01',
    '2100-01-01T00:00:00Z',
    '2100-06-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '2026-00-10T00:00:00Z',
    '2026-13-10T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-32T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-11-20T24:00:00Z',
    '2026-11-20T08:60:00Z',
    '2026-11-20T08:00:60Z',
    '2026-11-20T08:00:00+24:00',
    '2026-11-20T08:00:00+00:60',
    '2026-11-20T08:00:00',
    20261120,
    null,
  ])('%s is none', (occurredAt) => {
    expect(problemsOf({ ...RECORD, occurredAt })).toEqual([
      expect.stringMatching(/^occurredAt: expected an ISO-8601 instant with an offset, .*, found /),
    ]);
  });
});

describe('what was found, as a dead letter and a log line show it', () => {
  it.each<[unknown, string]>([
    [undefined, 'nothing'],
    [null, 'null'],
    ['text', '"text"'],
    [7, '7'],
    [2 ** 53, '9007199254740992 (no safe integer; send ids as text)'],
    [1.5, '1.5 (no safe integer; send ids as text)'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [['a'], '["a"]'],
    [() => 1, 'function'],
    [Symbol('s'), 'symbol'],
    [1n, 'something that cannot be shown (bigint)'],
  ])('%p is %s', (value, expected) => {
    expect(shown(value)).toBe(expected);
  });

  it('whole up to eighty signs, and cut behind them', () => {
    const quoted = (signs: number): string => 'x'.repeat(signs - 2);
    expect(shown(quoted(80))).toBe(JSON.stringify(quoted(80)));
    expect(shown(quoted(81))).toBe(`${JSON.stringify(quoted(81)).slice(0, 80)}…`);
    expect(shown(['x'.repeat(200)])).toHaveLength(81);
  });

  it('without a card number, however long the text around it', () => {
    for (const before of ['', 'x'.repeat(70), ' '.repeat(75)])
      expect(shown(`${before}4111 1111 1111 1111`)).not.toMatch(/4111 1111 1/);
  });
});

describe('a message says the same of itself throughout', () => {
  it('a record by its traceId and messageId, each named alone', () => {
    expect(problemsOf(RECORD)).toEqual([]);
    expect(problemsOf({ ...RECORD, traceId: '12:101' })).toEqual(['traceId: expected 12:100, found "12:101"']);
    expect(problemsOf({ ...RECORD, messageId: '13:100' })).toEqual(['messageId: expected 12:100, found "13:100"']);
    expect(problemsOf({ ...RECORD, traceId: 'x', messageId: 'y' })).toHaveLength(2);
  });

  it('a range by its messageId; numbers do not run backwards, unless a chunk is named', () => {
    expect(problemsOfChunk({})).toEqual([]);
    expect(problemsOfChunk({ messageId: '12:9-10' })).toEqual([expect.stringContaining('expected 12:9+10')]);
    const backwards = { dpStart: '10', dpEnd: '9', messageId: '12:10+9' };
    expect(problemsOfChunk(backwards)).toEqual(['dpEnd: expected no less than dpStart 10, found "9"']);
    expect(problemsOfChunk({ ...backwards, chunkId: 'k1' })).toEqual([]);
    expect(problemsOfChunk({ dpStart: '9', dpEnd: '9', messageId: '12:9+9' })).toEqual([]);
    expect(problemsOfChunk({ dpStart: 'b', dpEnd: 'a', messageId: '12:b+a' })).toEqual([]);
    expect(problemsOfChunk({ dpStart: 'b', dpEnd: '1', messageId: '12:b+1' })).toEqual([]);
    expect(problemsOfChunk({ dpStart: '2', dpEnd: 'a', messageId: '12:2+a' })).toEqual([]);
  });

  it('and its tenant, where both its body and its properties name one', () => {
    const of = (tenant: unknown, said: string) =>
      contracts.record({ ...carried({ ...RECORD, tenant }), properties: { tenant: said } }).valid;
    expect([of('a', 'a'), of('a', 'b'), of(7, 'b'), of(undefined, 'b')]).toEqual([true, false, true, true]);
  });

  it.each([[null], [undefined], ['text'], [7], [[]], [[RECORD]]])('%p is no message', (body) => {
    expect(problemsOf(body)).toEqual([expect.stringMatching(/^body: expected a JSON object, found /)]);
    expect(contracts.chunk(carried(body)).valid).toBe(false);
  });

  it('what a chunk may leave out is left out, and what it names arrives', () => {
    expect(contracts.chunk(carried(CHUNK))).toEqual({ valid: true, message: CHUNK });
    const whole = {
      ...CHUNK,
      chunkId: 'k1',
      shard: 'Shard-1',
      eventType: 'Payments',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    };
    expect(contracts.chunk(carried(whole))).toEqual({ valid: true, message: whole });
  });
});
