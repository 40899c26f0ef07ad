import { type Database } from '../../../src/adapters/shared/sqlite-driver';
import { SqliteEventStore } from '../../../src/adapters/sqlite/sqlite-event-store';
import { SqliteShard } from '../../../src/adapters/sqlite/sqlite-shard';
import { type CustomerId, type DpId, type PaymentId, type ShardName } from '../../../src/domain/identifiers';
import { type RawEvent } from '../checker/fold';
import { type StoredStatus, type WorldShard, type WorldStore } from './world-stores';

/** Nothing outlives a run, and the wire decides what a crash leaves behind. */
export const IN_MEMORY = { path: ':memory:', synchronous: 'OFF' } as const;

/**
 * The database inside an adapter. A second connection cannot see ':memory:', and the world has to look, and to strike,
 * by SQL of its own: what it sees must not come from the statements that are on trial.
 */
export const databaseOf = (adapter: object): Database => (adapter as { readonly database: Database }).database;

interface EventRow {
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
  readonly position: number;
}

export function sqliteStore(): WorldStore {
  const store = new SqliteEventStore(IN_MEMORY);
  const stream = databaseOf(store).prepare<[string], EventRow>(
    'SELECT * FROM event WHERE stream = (SELECT id FROM stream WHERE name = ?) ORDER BY revision',
  );
  return Object.assign(store, {
    history: (name: string): readonly RawEvent[] =>
      stream.all(name).map(({ type, data, metadata, position }) => ({
        type,
        position,
        data: JSON.parse(data) as RawEvent['data'],
        at: (JSON.parse(metadata) as { readonly at: string }).at,
      })),
  });
}

type OnMove = (record: string, from: string, to: string) => void;

export function sqliteShard(name: ShardName, nowMs: () => number, onMove: OnMove): WorldShard {
  const shard = new SqliteShard({ ...IN_MEMORY, name, now: nowMs });
  const database = databaseOf(shard);
  // Tells of each change of a row's status, whichever statement made it.
  database.function('row_moved', (record, from, to) => {
    onMove(String(record), String(from), String(to));
    return 0;
  });
  database.exec(`
    CREATE TEMP TRIGGER row_moves AFTER UPDATE OF Status ON datapump WHEN old.Status <> new.Status
    BEGIN SELECT row_moved(new.BillerId || ':' || new.DpId, old.Status, new.Status); END`);
  const rows = database.prepare<
    [],
    Omit<StoredStatus, 'chunkId'> & { readonly chunkId: StoredStatus['chunkId'] | null }
  >(
    'SELECT DpId AS dpId, BillerId AS billerId, EventType AS dataType, Status AS status, ChunkId AS chunkId FROM datapump ORDER BY Seq',
  );
  const unpublished = database.prepare<[], number>('SELECT count(*) FROM Outbox WHERE PublishedAt IS NULL').pluck();
  const withdraw = database.prepare('DELETE FROM datapump WHERE DpId = ?');
  const changeAmount = database.prepare('UPDATE Payment SET AmountMinor = AmountMinor + ? WHERE PaymentId = ?');
  const repoint = database.prepare('UPDATE datapump SET CustomerId = ?, PaymentId = ? WHERE DpId = ?');
  const rename = database.prepare('UPDATE Customer SET Name = Name || ? WHERE CustomerId = ?');
  return Object.assign(shard, {
    stored: (): readonly StoredStatus[] => rows.all().map((row) => ({ ...row, chunkId: row.chunkId ?? undefined })),
    unpublished: (): number => unpublished.get()!,
    withdraw: (dpId: DpId): void => void withdraw.run(dpId),
    changeAmount: (payment: PaymentId, by: number): void => void changeAmount.run(by, payment),
    repoint: (dpId: DpId, to: { readonly customerId: CustomerId; readonly paymentId?: PaymentId }): void =>
      void repoint.run(to.customerId, to.paymentId ?? null, dpId),
    rename: (customer: CustomerId, addition: string): void => void rename.run(addition, customer),
  });
}
