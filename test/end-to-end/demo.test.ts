import { cpSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { type Proof } from '../../src/bootstrap/demo/proof';
import { dpRecordStream, type RecordKey } from '../../src/domain/identifiers';
import { type Instant } from '../../src/domain/instant';
import { type Ended, newDemoFolder, removeDemoFolder, RunningDemo } from '../support/running-demo';
import { WHOLE_RUN_MS } from '../support/until';

interface Told extends Proof {
  readonly proved: boolean;
  readonly peakMebibytes: Readonly<Record<string, number>>;
}

const demo = (folder: string, ...words: readonly string[]): Promise<Ended> => new RunningDemo(folder, words).ended;
const toldBy = ({ output }: Ended): Told => JSON.parse(output) as Told;

describe('a demo', () => {
  const folder = newDemoFolder();
  let told: Told;
  let ended: Ended;

  beforeAll(async () => {
    ended = await demo(folder, '--records', '600', '--json');
    told = toldBy(ended);
  }, WHOLE_RUN_MS);
  afterAll(() => removeDemoFolder(folder));

  it('ends with exit 0 and the verdict that nothing is lost and nothing is doubled', () => {
    expect({
      code: ended.code,
      proved: told.proved,
      lost: told.lost,
      doubled: told.doubled,
      differing: told.differing,
      differences: told.differences,
      records: told.records,
    }).toEqual({ code: 0, proved: true, lost: 0, doubled: 0, differing: 0, differences: [], records: 600 });
  });

  it('shows every planned end, and faults that fired', () => {
    const sum = (end: 'delivered' | 'declined' | 'rejected' | 'skipped' | 'deadLettered') =>
      told.billers.reduce((total, { shards }) => total + shards[end].count, 0);
    for (const end of ['delivered', 'declined', 'rejected', 'skipped', 'deadLettered'] as const)
      expect(sum(end)).toBeGreaterThan(0);
    expect(Object.values(told.faults).reduce((total, count) => total + count, 0)).toBeGreaterThan(20);
  });

  it('has rows rejected for each reason a row can be made wrong for', () => {
    const store = new Database(join(folder, 'event-store.sqlite'), { readonly: true });
    const reasons = store
      .prepare(
        `SELECT DISTINCT value FROM event, json_each(event.data, '$.reasons') WHERE event.type = 'DpRecordRejected' ORDER BY value`,
      )
      .pluck()
      .all();
    store.close();
    expect(reasons).toEqual([
      'action-not-allowed',
      'amount-not-positive',
      'amount-too-large',
      'biller-inactive',
      'biller-missing',
      'currency-malformed',
      'currency-unknown',
      'customer-missing',
      'customer-of-another-biller',
      'date-implausible',
      'payment-missing',
      'payment-of-another-customer',
    ]);
  });

  it('measures the memory of every process', () => {
    const cores = Math.min(4, availableParallelism());
    const consumers = Array.from({ length: cores }, (_, index) => `consumer-${index + 1}`);
    expect(Object.keys(told.peakMebibytes)).toEqual([...consumers, 'demo', 'fetcher', 'sandbox', 'scanner']);
  });

  it(
    'is proved again without running',
    async () => {
      const again = await demo(folder, '--prove-only');
      expect(again.code).toBe(0);
      expect(again.output).toMatch(/^PROVED: 600 records, 0 lost, 0 doubled, the manifest holds/m);
    },
    WHOLE_RUN_MS,
  );

  describe('whose data are tampered with', () => {
    const change = (tampered: string, file: string, sql: string, ...values: readonly string[]): void => {
      const database = new Database(join(tampered, file));
      try {
        expect(database.prepare(sql).run(...values).changes).toBeGreaterThan(0);
      } finally {
        database.close();
      }
    };
    const shardOf = (tampered: string, record: string): string => {
      const manifest = new Database(join(tampered, 'manifest.sqlite'), { readonly: true });
      const shard = manifest
        .prepare('SELECT Shard FROM Biller WHERE BillerId = ?')
        .pluck()
        .get(record.split(':')[0]) as string;
      manifest.close();
      return `shards/${shard}.sqlite`;
    };
    const dpOf = (record: string): string => record.split(':')[1]!;

    const tamperings: readonly (readonly [
      string,
      { kind: string; says: RegExp; by: (tampered: string, record: string) => void | Promise<void> },
    ])[] = [
      [
        'an effect is gone from the ledger',
        {
          kind: 'lost',
          says: /said to be delivered, and the biller's ledger has no effect/,
          by: (tampered, record) =>
            change(tampered, 'sandbox-ledger.sqlite', 'DELETE FROM effects WHERE reference = ?', record),
        },
      ],
      [
        'an effect stands twice in the ledger',
        {
          kind: 'doubled',
          says: /2 effects at the biller/,
          by: (tampered, record) =>
            change(
              tampered,
              'sandbox-ledger.sqlite',
              `INSERT INTO effects SELECT NULL, biller_id, reference, data_type, amount_minor_units, currency, idempotency_key, 'again', at, cause FROM effects WHERE reference = ?`,
              record,
            ),
        },
      ],
      [
        'the biller booked another amount',
        {
          kind: 'differs',
          says: /the biller's ledger has .* the manifest has/,
          by: (tampered, record) =>
            change(
              tampered,
              'sandbox-ledger.sqlite',
              'UPDATE effects SET amount_minor_units = amount_minor_units + 1 WHERE reference = ?',
              record,
            ),
        },
      ],
      [
        'the biller booked another currency',
        {
          kind: 'differs',
          says: /the biller's ledger has .* the manifest has/,
          by: (tampered, record) =>
            change(
              tampered,
              'sandbox-ledger.sqlite',
              `UPDATE effects SET currency = 'GBP' WHERE reference = ?`,
              record,
            ),
        },
      ],
      [
        'a row has another status',
        {
          kind: 'differs',
          says: /the shard says declined, the event store says delivered/,
          by: (tampered, record) =>
            change(
              tampered,
              shardOf(tampered, record),
              `UPDATE datapump SET Status = 'Declined' WHERE DpId = ?`,
              dpOf(record),
            ),
        },
      ],
      [
        'a row is not finished',
        {
          kind: 'lost',
          says: /not finished, expected delivered/,
          by: (tampered, record) =>
            change(
              tampered,
              shardOf(tampered, record),
              `UPDATE datapump SET Status = 'Published' WHERE DpId = ?`,
              dpOf(record),
            ),
        },
      ],
      [
        'a row is gone',
        {
          kind: 'lost',
          says: /its row is in no shard, expected delivered/,
          by: (tampered, record) =>
            change(tampered, shardOf(tampered, record), 'DELETE FROM datapump WHERE DpId = ?', dpOf(record)),
        },
      ],
      [
        'the payment of a row has another amount',
        {
          kind: 'differs',
          says: /the shard has .* the manifest has/,
          by: (tampered, record) =>
            change(
              tampered,
              shardOf(tampered, record),
              'UPDATE Payment SET AmountMinor = AmountMinor + 1 WHERE PaymentId = ?',
              `p-${dpOf(record)}`,
            ),
        },
      ],
      [
        'the result of an attempt is gone from DpDetail',
        {
          kind: 'differs',
          says: /its row is Delivered with 0 row\(s\) in DpDetail/,
          by: (tampered, record) =>
            change(tampered, shardOf(tampered, record), 'DELETE FROM DpDetail WHERE DpId = ?', dpOf(record)),
        },
      ],
      [
        'a stream is gone from the event store',
        {
          kind: 'lost',
          says: /no stream in the event store/,
          by: (tampered, record) =>
            change(
              tampered,
              'event-store.sqlite',
              'DELETE FROM event WHERE stream = (SELECT id FROM stream WHERE name = ?)',
              `dpRecord-${record}`,
            ),
        },
      ],
      [
        'the manifest promised another end',
        {
          kind: 'differs',
          says: /delivered, expected rejected/,
          by: (tampered, record) =>
            change(
              tampered,
              'manifest.sqlite',
              `UPDATE Record SET PlannedEnd = 'rejected' WHERE RecordKey = ?`,
              record,
            ),
        },
      ],
      [
        'shard and event store hold a record in doubt whose biller can be asked',
        {
          kind: 'differs',
          says: /in doubt, although its biller has idempotency keys or a status inquiry/,
          by: (tampered, record) => holdInDoubt(tampered, record),
        },
      ],
    ];

    async function holdInDoubt(tampered: string, record: string): Promise<void> {
      change(
        tampered,
        shardOf(tampered, record),
        `UPDATE datapump SET Status = 'InDoubt' WHERE DpId = ?`,
        dpOf(record),
      );
      const store = new SqliteEventStore({ path: join(tampered, 'event-store.sqlite') });
      const stream = dpRecordStream(record as RecordKey);
      const events = await store.readStream(stream);
      const metadata = { by: 'test', at: '2026-11-20T08:00:00.000Z' as Instant };
      await store.append(stream, events.length - 1, [
        {
          id: 'f7b1c4ce-5a3f-4a7e-9c3b-0d5a7f2f1a11',
          type: 'DpRecordHeldInDoubt',
          data: { attempt: 1, cause: 'neither-inquiry-nor-keys' },
          metadata,
        },
      ]);
      await store.close();
    }

    it.each(tamperings)(
      'fails and names the record where %s',
      async (_what, { kind, says, by }) => {
        const tampered = newDemoFolder();
        cpSync(folder, tampered, { recursive: true });
        const record = deliveredPayment(tampered);
        await by(tampered, record);
        const again = await demo(tampered, '--prove-only', '--json');
        removeDemoFolder(tampered);
        const { proved, differences, lost, doubled, differing } = toldBy(again);
        expect({ code: again.code, proved, wrong: lost + doubled + differing }).toEqual({
          code: 1,
          proved: false,
          wrong: 1,
        });
        expect(differences.map((difference) => difference.record)).toContain(record);
        expect(differences.filter((difference) => difference.kind === kind).map(({ text }) => text)).toEqual(
          expect.arrayContaining([expect.stringMatching(says)]),
        );
      },
      WHOLE_RUN_MS,
    );

    it(
      'fails where a record is in doubt at a biller that cannot be asked, and nothing had happened to it',
      async () => {
        const tampered = newDemoFolder();
        cpSync(folder, tampered, { recursive: true });
        const record = untouchedRecordOfNeither(tampered);
        await holdInDoubt(tampered, record);
        const again = await demo(tampered, '--prove-only');
        removeDemoFolder(tampered);
        expect(again.code).toBe(1);
        expect(again.output).toContain(
          `${record}: in doubt, although neither a fault nor a kill hit it; expected delivered`,
        );
      },
      WHOLE_RUN_MS,
    );

    it(
      'fails and names a record that the manifest does not know',
      async () => {
        const tampered = newDemoFolder();
        cpSync(folder, tampered, { recursive: true });
        change(
          tampered,
          'sandbox-ledger.sqlite',
          `INSERT INTO effects SELECT NULL, biller_id, biller_id || ':999999999', data_type, amount_minor_units, currency, NULL, 'stray', at, cause FROM effects LIMIT 1`,
        );
        const again = await demo(tampered, '--prove-only');
        removeDemoFolder(tampered);
        expect(again.code).toBe(1);
        expect(again.output).toMatch(
          /DIFFERS +\d+:999999999: the manifest does not know it, found in the biller's ledger/,
        );
        expect(again.output).toMatch(/^NOT PROVED: 0 lost, 0 doubled, 1 otherwise/m);
      },
      WHOLE_RUN_MS,
    );
  });

  /** Delivered at a biller with neither keys nor inquiry, and met by no fault there. */
  function untouchedRecordOfNeither(of: string): string {
    const manifest = new Database(join(of, 'manifest.sqlite'));
    manifest.prepare('ATTACH ? AS sandbox').run(join(of, 'sandbox-ledger.sqlite'));
    const record = manifest
      .prepare(
        `SELECT RecordKey FROM Record JOIN Biller USING (BillerId) WHERE PlannedEnd = 'delivered' AND Inquiry = 0 AND Keys = 0
         AND RecordKey IN (SELECT reference FROM sandbox.effects) AND RecordKey NOT IN (SELECT reference FROM sandbox.faults) ORDER BY RecordKey LIMIT 1`,
      )
      .pluck()
      .get() as string;
    manifest.close();
    return record;
  }

  /** A payment delivered at a biller with an inquiry. */
  function deliveredPayment(of: string): string {
    const manifest = new Database(join(of, 'manifest.sqlite'), { readonly: true });
    const record = manifest
      .prepare(
        `SELECT RecordKey FROM Record JOIN Biller USING (BillerId) WHERE PlannedEnd = 'delivered' AND DataType = 'Payments' AND Inquiry = 1 ORDER BY RecordKey LIMIT 1`,
      )
      .pluck()
      .get() as string;
    manifest.close();
    return record;
  }
});

it(
  'proves the same while scanner, fetcher, consumers and sandbox are killed at random',
  async () => {
    const folder = newDemoFolder();
    const ended = await demo(folder, '--records', '1000', '--chaos', '--seed', '7', '--json');
    removeDemoFolder(folder);
    const { proved, lost, doubled, differing, differences, kills } = toldBy(ended);
    expect({ code: ended.code, proved, lost, doubled, differing, differences }).toEqual({
      code: 0,
      proved: true,
      lost: 0,
      doubled: 0,
      differing: 0,
      differences: [],
    });
    expect(kills.length).toBeGreaterThanOrEqual(10);
  },
  WHOLE_RUN_MS,
);

it('refuses wrong numbers, all at once, before anything is made', async () => {
  const folder = newDemoFolder();
  const ended = await demo(folder, '--records', '0', '--seed', 'x', '--faults', 'some');
  removeDemoFolder(folder);
  expect(ended.code).toBe(2);
  expect(ended.errors).toContain('3 problems');
  expect(ended.errors).toContain('--records: found 0, expected a whole number from 1');
});
