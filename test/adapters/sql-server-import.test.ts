import { EventEmitter } from 'node:events';
import { poolSettings, DEFAULT_LIMITS } from '../../src/adapters/sql-server/connection-settings';
import { ROW_KEYS, TEXT_KEY, type RowKey } from '../../src/adapters/sql-server/row-key';
import { SqlServerShardImport } from '../../src/adapters/sql-server/shard-import';
import { ID_LENGTH_MAX } from '../../src/adapters/sql-server/sql-text';
import { derivedId } from '../../src/adapters/shared/derived-id';
import { type CustomerCorrection, type PaymentImport } from '../../src/application/ports/payment-imports';
import { billerId } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';
import { type Asked, type Line, scriptedSqlServer } from '../support/scripted-sql-server';

const WATER = billerId('water');
const AT = instant('2026-11-20T08:00:00.123Z');
const payment = (externalReference: string, more: Partial<PaymentImport> = {}): PaymentImport => ({
  source: 'file',
  externalReference,
  billerId: WATER,
  billerName: 'Water',
  customerReference: 'c1',
  accountNumber: 'A-1',
  customerName: 'Jane',
  amount: { minorUnits: 100, currency: 'USD' },
  invoiceType: 'bill',
  paidAt: AT,
  ...more,
});
const correction = (customerReference: string, customerName = 'Jane'): CustomerCorrection => ({
  billerId: WATER,
  customerReference,
  accountNumber: 'A-1',
  customerName,
});
const stored = (externalReference: string, more: Line = {}): Line => ({
  PaymentId: derivedId('file', externalReference),
  CustomerId: derivedId(WATER, 'c1'),
  BillerId: 'water',
  AmountMinor: '100',
  Currency: 'USD',
  InvoiceType: 'bill',
  PaidAt: new Date(AT),
  Source: 'file',
  ExternalReference: externalReference,
  ...more,
});
const duplicateKey = (): Error => Object.assign(new Error('Violation of PRIMARY KEY'), { number: 2627 });

function importing(answer: (asked: Asked, call: number) => readonly (readonly Line[])[], key: RowKey = TEXT_KEY) {
  const { asked, connection } = scriptedSqlServer(answer);
  return { asked, shard: new SqlServerShardImport(connection, key) };
}
const NOTHING_STANDS = () => [[], [], []];
const namesOf = (asked: Asked, list: string): readonly unknown[] => asked.values[list] as readonly unknown[];

describe('payments into a shard of SQL Server (issue 9, no 16)', () => {
  it('asks nothing where there is nothing to do', async () => {
    const { shard, asked } = importing(NOTHING_STANDS);
    expect(await shard.import([])).toEqual({ added: 0, known: 0, knownAt: [], conflicts: [] });
    expect([await shard.preview([], {}), await shard.correct([], undefined), await shard.known([])]).toEqual([
      [],
      [],
      [],
    ]);
    expect(asked).toEqual([]);
  });

  it.each(ROW_KEYS.filter((key) => key !== TEXT_KEY))(
    'takes nothing into the tables of a site whose ids are $name, and knows no reference there',
    async (key) => {
      const { shard, asked } = importing(NOTHING_STANDS, key);
      for (const work of [
        () => shard.import([payment('1')]),
        () => shard.import([]),
        () => shard.preview([payment('1')], {}),
        () => shard.preview([], {}),
        () => shard.correct([correction('c1')], undefined),
        () => shard.correct([], undefined),
        () => shard.seed({}),
      ])
        await expect(work()).rejects.toMatchObject({ code: 'storage-foreign', retryable: false });
      expect(await shard.known([{ source: 'file', externalReference: '1' }])).toEqual([]);
      expect(asked).toEqual([]);
    },
  );

  it('inserts what does not stand, and nothing where all stands', async () => {
    const { shard, asked } = importing(({ step }, call) =>
      step.startsWith('import') && call === 0
        ? [[stored('2')], [{ CustomerId: derivedId(WATER, 'c1'), AccountNumber: 'A-1' }], [{ BillerId: 'water' }]]
        : [],
    );
    expect(await shard.import([payment('1'), payment('2'), payment('2', { invoiceType: 'other' })])).toEqual({
      added: 1,
      known: 1,
      knownAt: [1],
      conflicts: [{ index: 2, why: 'another-payment' }],
    });
    expect(asked.map(({ step }) => step)).toEqual(['import 3 payments', 'import 3 payments']);
    expect(namesOf(asked[0]!, 'payments')).toEqual([{ id: derivedId('file', '1') }, { id: derivedId('file', '2') }]);
    expect(namesOf(asked[0]!, 'customers')).toEqual([{ id: derivedId(WATER, 'c1') }]);
    expect(namesOf(asked[1]!, 'rows')).toMatchObject([{ dpId: derivedId('file', '1'), place: 0, status: 'New' }]);
    expect([namesOf(asked[1]!, 'billers'), namesOf(asked[1]!, 'customers')]).toEqual([[], []]);
    const known = importing(() => [[stored('2')], [], []]);
    expect(await known.shard.import([payment('2')])).toMatchObject({ added: 0, known: 1 });
    expect(known.asked).toHaveLength(1);
  });

  it('reads again where another importer was first, twenty times and no longer; another error is told at once', async () => {
    const writes = ({ values }: Asked): boolean => 'rows' in values;
    const second = importing((asked, call) => {
      if (!writes(asked)) return call === 0 ? NOTHING_STANDS() : [[stored('1')], [], []];
      throw duplicateKey();
    });
    expect(await second.shard.import([payment('1')])).toMatchObject({ added: 0, known: 1 });
    expect(second.asked.map(writes)).toEqual([false, true, false]);
    const never = importing((asked) => {
      if (!writes(asked)) return NOTHING_STANDS();
      throw duplicateKey();
    });
    await expect(never.shard.import([payment('1')])).rejects.toMatchObject({ number: 2627 });
    expect(never.asked.filter(writes)).toHaveLength(20);
    const odd = importing((asked) => {
      if (!writes(asked)) return NOTHING_STANDS();
      throw new Error('odd');
    });
    await expect(odd.shard.import([payment('1')])).rejects.toThrow('odd');
    expect(odd.asked.filter(writes)).toHaveLength(1);
  });

  it('previews without writing, and overlooks another account only where told to', async () => {
    const answer = () => [[], [{ CustomerId: derivedId(WATER, 'c1'), AccountNumber: 'another' }], []];
    const { shard, asked } = importing(answer);
    expect(await shard.preview([payment('1')], {})).toEqual(['another-account']);
    expect(await shard.preview([payment('1')], { anyAccount: true })).toEqual(['added']);
    expect(asked.map(({ step }) => step)).toEqual(['preview 1 payments', 'preview 1 payments']);
  });

  it('corrects the first of each customer, in the order of the places whatever the server says first', async () => {
    const { shard, asked } = importing(() => [[{ Place: '10' }, { Place: '2' }, { Place: 0 }]]);
    const all = [correction('c1', 'first'), correction('c1', 'second'), correction('c2')];
    expect(await shard.correct(all, { by: 'me', reason: 'moved' })).toEqual([0, 2, 10]);
    expect(await shard.correct(all, undefined)).toEqual([0, 2, 10]);
    expect(namesOf(asked[0]!, 'customers')).toEqual([
      { customerId: derivedId(WATER, 'c1'), place: 0, accountNumber: 'A-1', name: 'first' },
      { customerId: derivedId(WATER, 'c2'), place: 2, accountNumber: 'A-1', name: 'Jane' },
    ]);
    expect(asked[0]!.values['by']).toEqual([{ by: 'me', reason: 'moved' }]);
    expect('by' in asked[1]!.values).toBe(false);
  });

  it('knows a reference only where both its source and its name are the stored ones', async () => {
    const { shard, asked } = importing(() => [
      [
        stored('1'),
        stored('2', { Source: 'other' }),
        stored('3', { ExternalReference: null }),
        stored('4', { Source: null }),
      ],
      [],
      [],
    ]);
    const references = ['1', '2', '3', '4', '5'].map((externalReference) => ({ source: 'file', externalReference }));
    expect(await shard.known(references)).toEqual([references[0]]);
    expect(asked).toHaveLength(1);
  });

  it('seeds the first of each id, its times without the Z, and flags as numbers', async () => {
    const { shard, asked } = importing(() => [[{ Added: '2' }]]);
    const row = { dpId: 'd1', billerId: WATER, dataType: 'Payments', customerId: 'c', createdAt: AT };
    const seed = {
      billers: [
        { billerId: WATER, dba: 'Water', active: true },
        { billerId: WATER, dba: 'second', active: false },
      ],
      customers: [{ customerId: 'c', billerId: WATER, accountNumber: 'A', name: 'N', paperless: false, autoPay: true }],
      rows: [row, { ...row, dpId: 'd2', dueAt: instant('2026-11-21T08:00:00.000Z'), status: 'Queued' }],
    };
    expect(await shard.seed(seed as unknown as Parameters<typeof shard.seed>[0])).toBe(2);
    expect(asked[0]!.step).toBe('seed 2 rows');
    expect(namesOf(asked[0]!, 'billers')).toEqual([{ billerId: 'water', dba: 'Water', active: 1 }]);
    expect(namesOf(asked[0]!, 'customers')).toMatchObject([{ paperless: 0, autoPay: 1 }]);
    expect(namesOf(asked[0]!, 'rows')).toMatchObject([
      { dpId: 'd1', place: 0, status: 'New', createdAt: AT.slice(0, -1), dueAt: AT.slice(0, -1) },
      { dpId: 'd2', place: 1, status: 'Queued', createdAt: AT.slice(0, -1), dueAt: '2026-11-21T08:00:00.000' },
    ]);
    expect(namesOf(asked[0]!, 'payments')).toEqual([]);
  });

  it('an id that no column holds is not asked for', async () => {
    const { shard, asked } = importing(NOTHING_STANDS);
    await shard.known([{ source: 'f'.repeat(ID_LENGTH_MAX), externalReference: 'r'.repeat(ID_LENGTH_MAX) }]);
    for (const { id } of asked.flatMap(({ values }) => values['payments'] as readonly { id: string }[]))
      expect(id.length).toBeLessThanOrEqual(ID_LENGTH_MAX);
  });
});

describe('a login that the server refuses', () => {
  const connecting = (numbers: readonly number[], error: Error | undefined): Error | undefined => {
    const connection = new EventEmitter();
    const { beforeConnect } = poolSettings({ server: 's' }, DEFAULT_LIMITS) as {
      beforeConnect(of: EventEmitter): void;
    };
    beforeConnect(connection);
    for (const number of numbers) connection.emit('errorMessage', { number });
    connection.emit('connect', error);
    return error;
  };

  it("carries the number of the server's first message, where it said one", () => {
    expect(connecting([18456, 4060], new Error('Login failed'))).toMatchObject({ number: 18456 });
    expect(connecting([], new Error('Login failed'))).not.toHaveProperty('number');
    expect(connecting([18456], undefined)).toBeUndefined();
  });
});
