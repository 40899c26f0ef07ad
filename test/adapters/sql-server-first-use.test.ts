jest.mock('mssql', (): unknown => {
  const mssql = jest.requireActual<object>('mssql');
  /** An empty database: it says of everything that it is not there. */
  class EmptyDatabase {
    on = (): this => this;
    connect = (): Promise<this> => Promise.resolve(this);
    close = (): Promise<void> => Promise.resolve();
    request() {
      const request = {
        input: () => request,
        query: (text: string) => {
          asked.push(text);
          return Promise.resolve({ recordsets: [[], []] });
        },
      };
      return request;
    }
  }
  return { ...mssql, ConnectionPool: EmptyDatabase };
});
import { SqlServerShard } from '../../src/adapters/sql-server/sql-server-shard';
import { PortFailure } from '../../src/application/ports/failures';
import { billerId, type ChunkId, type DpId, shardName } from '../../src/domain/identifiers';
import { type Day, instant } from '../../src/domain/instant';

const asked: string[] = [];
const WATER = billerId('water');
const AT = instant('2026-11-20T08:00:00.000Z');
const [row, chunk] = ['1' as DpId, 'k' as ChunkId];

const USES: Readonly<Record<string, (shard: SqlServerShard) => Promise<unknown>>> = {
  now: (shard) => shard.now(),
  claim: (shard) => shard.claim({ billers: [WATER], rowsMax: 1, plan: () => [], newChunkId: () => chunk }),
  unpublishedChunks: (shard) => shard.unpublishedChunks(1),
  markPublished: (shard) => shard.markPublished([chunk]),
  markFetched: (shard) => shard.markFetched(chunk),
  rowsOfChunk: (shard) => shard.rowsOfChunk(chunk),
  rowsInRange: (shard) => shard.rowsInRange({ billerId: WATER, dataType: 'Payments', from: row, to: row, max: 1 }),
  findRow: (shard) => shard.findRow(row),
  adopt: (shard) => shard.adopt([row], chunk),
  changeStatuses: (shard) => shard.changeStatuses([{ dpId: row, to: 'Queued', from: ['New'] }]),
  reconcile: (shard) => shard.reconcile({ dpId: row, to: 'Delivered', from: ['Published'] }),
  noteProgress: (shard) => shard.noteProgress(row, AT),
  takeStalled: (shard) => shard.takeStalled({ before: AT, max: 1 }),
  reopen: (shard) => shard.reopen(row),
  rowsByStatus: (shard) => shard.rowsByStatus({ statuses: ['New'], max: 1 }),
  rowsInHand: (shard) => shard.rowsInHand({ customer: 'c', max: 1 }),
  totals: (shard) => shard.totals(),
  rowsOfDay: (shard) => shard.rowsOfDay({ day: '2026-11-20' as Day, billerId: WATER, dataType: 'Payments', max: 1 }),
  billers: (shard) => shard.billers(),
  billersWithSettings: (shard) => shard.billersWithSettings(),
  importPayments: (shard) => shard.importPayments([]),
  previewPayments: (shard) => shard.previewPayments([]),
  correctCustomers: (shard) => shard.correctCustomers([], undefined),
  knownReferences: (shard) => shard.knownReferences([{ source: 's', externalReference: 'r' }]),
  knownHistory: (shard) => shard.knownHistory(),
  seed: (shard) => shard.seed({}),
};

describe('the first use of a shard in SQL Server, whatever it is (issue 9, no 16)', () => {
  it.each(Object.entries(USES))(
    '%s looks at the schema before anything else, and goes no further where it does not fit',
    async (_, use) => {
      asked.length = 0;
      const shard = new SqlServerShard({ name: shardName('Shard-1'), connection: { server: 's', database: 'd' } });
      const failure = await use(shard).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(PortFailure);
      expect(failure).toMatchObject({ code: 'storage-from-older-version', retryable: false });
      expect(asked).toHaveLength(1);
      expect(asked[0]).toContain('INFORMATION_SCHEMA.TABLES');
      // It is looked at again: a migration may have run meanwhile.
      await use(shard).catch(() => undefined);
      expect(asked).toHaveLength(2);
      await shard.close();
      await expect(use(shard)).rejects.toMatchObject({ code: 'closed' });
      expect(asked).toHaveLength(2);
    },
  );
});
