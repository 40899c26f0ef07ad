import * as fc from 'fast-check';
import { ValidatedMessageContracts } from '../../../src/adapters/messages/validated-message-contracts';

const contracts = new ValidatedMessageContracts();
const key = '12:100';
const record = {
  dpId: '100',
  billerId: '12',
  eventType: 'Payments',
  occurredAt: '2026-11-20T08:00:00.000Z',
  version: 1,
  traceId: key,
  messageId: key,
  source: { shard: 'Shard-12', table: 'dbo.datapump' },
};
const chunk = { billerId: '12', dpStart: '100', dpEnd: '149', messageId: '12:100+149' };
type Properties = Readonly<Record<string, string | number | boolean>>;
const read = (kind: 'record' | 'chunk', body: unknown, properties: Properties, correlationId?: string) =>
  contracts[kind]({ body, properties, correlationId });

const other = (than: readonly string[]) =>
  fc
    .oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom('13', '012', '12 ', ' 12', '12:100', 'payments', 'PAYMENTS', 'AutoPay'),
    )
    .filter((value) => !than.includes(String(value)));

describe('a message that contradicts itself is refused (issue 8, no 5)', () => {
  it.each<[string, 'record' | 'chunk', object, Properties, string | undefined]>([
    ['a record alone', 'record', record, {}, undefined],
    ['a chunk alone', 'chunk', chunk, {}, undefined],
    [
      'a record with all that repeats it',
      'record',
      record,
      { billerId: '12', eventType: 'Payments', tenant: 'any', hop: 3 },
      '12',
    ],
    [
      'a record of another team, whose id is a number there',
      'record',
      { ...record, billerId: 12 },
      { billerId: 12 },
      '12',
    ],
    ['a chunk that names no type in its body', 'chunk', chunk, { eventType: 'Payments', billerId: '12' }, '12'],
    [
      'a chunk of our own, whose range is information',
      'chunk',
      { ...chunk, chunkId: 'c', dpStart: '9', dpEnd: '10', messageId: '12:9+10' },
      {},
      undefined,
    ],
    [
      'a chunk of ids that are no numbers',
      'chunk',
      { ...chunk, dpStart: 'b', dpEnd: 'a', messageId: '12:b+a' },
      {},
      undefined,
    ],
    ['a body that names its tenant too', 'record', { ...record, tenant: 'north' }, { tenant: 'north' }, undefined],
  ])('takes %s', (_what, kind, body, properties, correlationId) => {
    expect(read(kind, body, properties, correlationId)).toMatchObject({ valid: true });
  });

  it.each(['record', 'chunk'] as const)('refuses every %s whose properties or correlation id say otherwise', (kind) => {
    const body = kind === 'record' ? record : { ...chunk, eventType: 'Payments' };
    fc.assert(fc.property(other(['12']), (billerId) => !read(kind, body, { billerId }).valid));
    fc.assert(fc.property(other(['Payments']), (eventType) => !read(kind, body, { eventType }).valid));
    fc.assert(fc.property(other(['12']), (correlationId) => !read(kind, body, {}, String(correlationId)).valid));
    fc.assert(fc.property(other(['north']), (tenant) => !read(kind, { ...body, tenant: 'north' }, { tenant }).valid));
  });

  it('names each contradiction, with what the body says', () => {
    expect(read('record', record, { billerId: '13', eventType: 'AutoPay' }, '14')).toEqual({
      valid: false,
      problems: [
        'properties.billerId: expected 12 as in the body, found "13"',
        'properties.eventType: expected Payments as in the body, found "AutoPay"',
        'correlationId: expected 12 as in the body, found "14"',
      ],
    });
  });

  it('refuses a range of numbers that runs backwards: it is empty, and would be told as fetched', () => {
    expect(read('chunk', { ...chunk, dpStart: '149', dpEnd: '100', messageId: '12:149+100' }, {})).toMatchObject({
      valid: false,
      problems: ['dpEnd: expected no less than dpStart 149, found "100"'],
    });
    expect(read('chunk', { ...chunk, dpStart: '9', dpEnd: '10', messageId: '12:9+10' }, {})).toMatchObject({
      valid: true,
    });
  });
});
