import { ValidatedMessageContracts } from '../../src/adapters/messages/validated-message-contracts';
import { parseJsonKeepingBigIntegers } from '../../src/adapters/shared/big-integers';
import { type Carried, type Checked, type ValidationErrorMessage } from '../../src/application/messaging/messages';
import { type BillerId, type DpId } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';
import { compileContracts, schemaFiles } from './contract-schemas';

const messages = new ValidatedMessageContracts();
const bare = (body: unknown): Carried => ({ body, properties: {}, correlationId: undefined });
const contracts = {
  record: (body: unknown) => messages.record(bare(body)),
  chunk: (body: unknown) => messages.chunk(bare(body)),
};
const { schema, check } = compileContracts();
type Body = Record<string, unknown>;

const record: Body = {
  dpId: '100',
  billerId: '12',
  eventType: 'Payments',
  occurredAt: '2026-11-20T08:00:00.000Z',
  version: 1,
  traceId: '12:100',
  messageId: '12:100',
  source: { shard: 'Shard-12', table: 'dbo.datapump' },
};
const chunk: Body = { billerId: '12', dpStart: '100', dpEnd: '149', messageId: '12:100+149' };
const ownChunk: Body = {
  ...chunk,
  chunkId: 'c-1',
  shard: 'Shard-12',
  eventType: 'AutoPay',
  traceparent: '00-aa-bb-01',
};

const without = (body: Body, name: string): Body =>
  Object.fromEntries(Object.entries(body).filter(([key]) => key !== name));

/** Values that no member of a message may have; where one may, the list of a member says so. */
const WRONG: readonly unknown[] = [null, true, 1.5, 2 ** 53, '', 'a b', 'a:b:c', [], {}];
const BAD_INSTANTS = [
  '2026-11-20',
  '2026-11-20T08:00:00',
  '2026-13-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-11-20T24:30:00Z',
  '2026-11-20T08:61:00Z',
  'yesterday',
];

function mutations(
  body: Body,
  required: readonly string[],
  leave: Readonly<Record<string, readonly unknown[]>> = {},
): [string, Body][] {
  const dropped = required.map((name): [string, Body] => [`without ${name}`, without(body, name)]);
  const changed = Object.keys(body).flatMap((name) =>
    WRONG.filter((value) => !leave[name]?.includes(value)).map((value): [string, Body] => [
      `${name} = ${JSON.stringify(value)}`,
      { ...body, [name]: value },
    ]),
  );
  return [...dropped, ...changed];
}

describe.each<[string, string, (body: unknown) => Checked<unknown>, Body[], [string, Body][]]>([
  [
    'record',
    'messages/record.v1.schema.json',
    (body) => contracts.record(body),
    [
      record,
      { ...record, dpId: 100 },
      { ...record, billerId: 12, extra: { any: 'thing' } },
      { ...record, occurredAt: '2026-11-20T09:00:00+01:00' },
    ],
    [
      ...mutations(record, Object.keys(record)),
      ...BAD_INSTANTS.map((at): [string, Body] => [`occurredAt = ${at}`, { ...record, occurredAt: at }]),
      ['version = 2', { ...record, version: 2 }],
      ['version = "1"', { ...record, version: '1' }],
      ['eventType = Payment', { ...record, eventType: 'Payment' }],
      ['source without shard', { ...record, source: { table: 'dbo.datapump' } }],
      ['source without table', { ...record, source: { shard: 'Shard-12' } }],
      ['source.table empty', { ...record, source: { shard: 'Shard-12', table: '' } }],
      ['dpId of 65 characters', { ...record, dpId: 'x'.repeat(65) }],
    ],
  ],
  [
    'chunk',
    'messages/chunk.v1.schema.json',
    (body) => contracts.chunk(body),
    [chunk, ownChunk, { ...chunk, billerId: 12, dpStart: 100, dpEnd: 149 }, { ...chunk, extra: 1 }],
    mutations(ownChunk, Object.keys(chunk), { traceparent: ['', 'a b', 'a:b:c'], chunkId: ['a:b:c'] }),
  ],
])('contract of the %s message', (_name, path, read, good, bad) => {
  it.each(good.map((body) => [JSON.stringify(body), body]))('schema and DTO take %s', (_, body) => {
    expect(check(path)(body)).toBe(true);
    expect(read(body)).toMatchObject({ valid: true });
  });

  it.each(bad)('schema and DTO refuse %s', (_, body) => {
    expect(check(path)(body)).toBe(false);
    const checked = read(body);
    expect(checked.valid).toBe(false);
    if (!checked.valid) expect(checked.problems.join()).toMatch(/^[\w.]+: expected .+, found .+/);
  });

  it.each([[null], [undefined], ['text'], [7], [[]]])('schema and DTO refuse a body that is %j', (body) => {
    expect(check(path)(body)).toBe(false);
    expect(read(body)).toMatchObject({
      valid: false,
      problems: [expect.stringMatching(/^body: expected a JSON object/)],
    });
  });

  it('has examples that schema and DTO take', () => {
    expect(schema(path).examples!.length).toBeGreaterThan(0);
    for (const example of schema(path).examples!) {
      expect(check(path)(example)).toBe(true);
      expect(read(example)).toEqual({ valid: true, message: example });
    }
  });
});

describe('ValidatedMessageContracts', () => {
  it('yields ids as text and instants in the fixed form, and leaves unknown members out', () => {
    const read = contracts.record({ ...record, dpId: 100, occurredAt: '2026-11-20T09:00:00+01:00', extra: 1 });
    expect(read).toEqual({ valid: true, message: record });
  });

  it('refuses a message whose repeated ids name another record or range', () => {
    expect(contracts.record({ ...record, traceId: '12:101' })).toEqual({
      valid: false,
      problems: ['traceId: expected 12:100, found "12:101"'],
    });
    expect(contracts.record({ ...record, messageId: '13:100' })).toEqual({
      valid: false,
      problems: ['messageId: expected 12:100, found "13:100"'],
    });
    expect(contracts.chunk({ ...chunk, messageId: '12:100+150' })).toEqual({
      valid: false,
      problems: ['messageId: expected 12:100+149, found "12:100+150"'],
    });
  });

  it('reports every problem at once, and shortens what it shows', () => {
    const read = contracts.record({ ...record, dpId: 'x'.repeat(1000), version: 3 });
    expect(read.valid ? [] : read.problems).toEqual([
      expect.stringMatching(/^dpId: expected an id.*x{70,80}…$/),
      'version: expected 1, found 3',
    ]);
  });

  it('keeps all digits of a 64-bit id that came as a number in the raw text', () => {
    const raw = JSON.stringify({
      ...record,
      traceId: '12:9223372036854775807',
      messageId: '12:9223372036854775807',
    }).replace('"100"', '9223372036854775807');
    expect(contracts.record(parseJsonKeepingBigIntegers(raw))).toMatchObject({
      valid: true,
      message: { dpId: '9223372036854775807' },
    });
    expect(contracts.record(JSON.parse(raw))).toMatchObject({ valid: false });
  });
});

describe('the validation-error message', () => {
  const notification: ValidationErrorMessage = {
    billerId: '12' as BillerId,
    dpId: '101' as DpId,
    eventType: 'Payments',
    occurredAt: instant('2026-11-20T08:00:00.000Z'),
    version: 1,
    messageId: '12:101:rejected',
    reasons: ['customer-missing'],
  };
  const path = 'messages/validation-error.v1.schema.json';

  it('as our code writes it keeps its schema, member by member', () => {
    expect(check(path)(notification)).toBe(true);
    expect(Object.keys(schema(path).properties).sort()).toEqual(Object.keys(notification).sort());
    for (const name of Object.keys(notification))
      expect([name, check(path)(without({ ...notification }, name))]).toEqual([name, false]);
    expect(check(path)({ ...notification, reasons: [] })).toBe(false);
  });
});

it('every message schema is proved above', () => {
  expect(schemaFiles('messages')).toEqual([
    'chunk.v1.schema.json',
    'record.v1.schema.json',
    'validation-error.v1.schema.json',
  ]);
});
