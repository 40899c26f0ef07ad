import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDbEventStore } from '../../src/adapters/event-store-db/event-store-db-event-store';
import { FileSealWitness } from '../../src/adapters/seal-file/file-seal-witness';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteEventLog } from '../../src/adapters/sqlite/sqlite-event-log';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { sealCryptography } from '../../src/adapters/system/seal-cryptography';
import { type EventLog } from '../../src/application/ports/event-log';
import { type EventStore, type NewEvent } from '../../src/application/ports/event-store';
import { type SealWitness } from '../../src/application/ports/seal-witness';
import { type HistoryVerification, verifyHistory } from '../../src/application/queries/verify-history';
import { sealHistory, type SealPass } from '../../src/application/history/seal-history';
import { shardName, type StreamName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';
import { recordedTelemetry } from './recorded-telemetry';
import { EventStorePeer } from './wire-peers/event-store-grpc/event-store-peer';

export type StoreKind = 'SQLite' | 'EventStoreDB';

/** An event store with a shard and a file that keep copies of its seals; `records` is the file behind the store. */
export interface SealedStore {
  readonly folder: string;
  readonly kind: StoreKind;
  readonly store: EventStore;
  readonly log: EventLog;
  readonly shard: SqliteShard;
  readonly file: FileSealWitness;
  readonly sealFolder: string;
  /** The SQLite file that holds the events: the embedded store's, or that of the wire peer. */
  readonly records: string;
  fill(streams: number, eventsEach: number): Promise<void>;
  seal(by?: string): Promise<SealPass>;
  verify(options?: {
    readonly publicKeys?: string;
    readonly witnesses?: readonly SealWitness[];
  }): Promise<HistoryVerification>;
  /** Runs SQL on the file behind the store, as an attacker would. */
  tamper(work: (database: Database) => void): void;
  close(): Promise<void>;
}

export async function sealedStore(kind: StoreKind, keys: { readonly privateKey?: string } = {}): Promise<SealedStore> {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-sealed-'));
  const records = join(folder, 'events.sqlite');
  const closers: (() => Promise<void> | void)[] = [];
  const { store, log } = await opened(kind, records, closers);
  const shard = new SqliteShard({ name: shardName('Shard-1'), path: join(folder, 'shard.sqlite'), synchronous: 'OFF' });
  closers.push(() => shard.close());
  const sealFolder = join(folder, 'seals');
  const file = new FileSealWitness(sealFolder);
  const { telemetry } = recordedTelemetry();
  let ms = Date.parse('2026-11-20T08:00:00.000Z');
  const clock = {
    now: () => instantFromMs((ms += 1_000)),
    monotonicMs: () => performance.now(),
    sleep: async () => undefined,
  };
  const shared = { eventStore: store, eventLog: log };
  const cryptography = sealCryptography(keys);
  const seal = sealHistory(
    { ...shared, witnesses: [shard.seals, file], cryptography, clock, telemetry },
    { by: 'sealer@test:1', sealsPerPassMax: 1_000 },
  );
  return {
    folder,
    kind,
    store,
    log,
    shard,
    file,
    sealFolder,
    records,
    fill: (streams, eventsEach) => fill(store, streams, eventsEach),
    seal: () => seal(),
    verify: ({ publicKeys, witnesses = [shard.seals, file] } = {}) =>
      verifyHistory({
        ...shared,
        witnesses,
        cryptography: sealCryptography(publicKeys === undefined ? {} : { publicKeys }),
      })(),
    tamper: (work) => {
      const database = new Database(records);
      try {
        work(database);
      } finally {
        database.close();
      }
    },
    close: async () => {
      for (const close of closers.reverse()) await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function opened(kind: StoreKind, records: string, closers: (() => Promise<void> | void)[]) {
  if (kind === 'SQLite') {
    const store = new SqliteEventStore({ path: records, synchronous: 'OFF' });
    const log = new SqliteEventLog({ path: records });
    closers.push(
      () => store.close(),
      () => log.close(),
    );
    return { store, log };
  }
  const peer = await EventStorePeer.start({ path: records });
  const store = new EventStoreDbEventStore({ connectionString: peer.connectionString });
  closers.push(
    () => peer.stop(),
    () => store.close(),
  );
  return { store, log: store };
}

let made = 0;

/** Streams of so many events each, interleaved; texts and numbers that a careless canonical form would change. */
async function fill(store: EventStore, streams: number, eventsEach: number): Promise<void> {
  const first = made;
  made += streams;
  for (let revision = 0; revision < eventsEach; revision++) {
    // Together, so that they share commits; what comes first is the store's choice.
    const streams = Array.from({ length: made - first }, (_, place) => first + place);
    await Promise.all(
      streams.map((stream) =>
        store.append(`dpRecord-12:${stream}` as StreamName, revision === 0 ? 'new' : revision - 1, [eventOf(revision)]),
      ),
    );
  }
}

const eventOf = (revision: number): NewEvent => ({
  id: randomUUID(),
  type: 'DpRecordParked',
  data: {
    z: 'žluťoučký "kůň"\n\u{1F40E}',
    amount: { minorUnits: 9_007_199_254_740_991, currency: 'CZK' },
    b: 1e-7,
    revision,
    10: 'ten',
    2: 'two',
  },
  metadata: { by: 'fill@test:1', at: instantFromMs(1_780_000_000_000 + revision) },
});
