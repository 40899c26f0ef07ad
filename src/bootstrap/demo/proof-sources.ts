import { type BookedEffects, type BookedReference, type LedgerBooks } from '../../adapters/sandbox-biller/ledger-books';
import { type ManifestRecord, type SqliteManifest } from '../../adapters/sqlite/sqlite-manifest';
import { type ProjectedRecord, type RecordProjection } from '../../application/ports/record-projection';
import { type Shard, type Shards } from '../../application/ports/shard';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { ROW_STATUSES } from '../../domain/dp-record/row-status';
import { recordKey, type RecordKey } from '../../domain/identifiers';

const PAGE = 1_000;

/** All that the sources know of one record; undefined or 0: nothing. */
export interface Found {
  readonly record: RecordKey;
  manifest: ManifestRecord | undefined;
  row: DpRow | undefined;
  projected: ProjectedRecord | undefined;
  effects: BookedEffects | undefined;
  declines: number;
  /** The biller met this record with a fault that leaves its client without a clear answer. */
  hadUnclearFault: boolean;
}

export interface Sources {
  readonly manifest: SqliteManifest;
  readonly shards: Shards;
  readonly projection: RecordProjection;
  readonly books: LedgerBooks;
}

/**
 * Merges all sources by record, in the order of their keys, page by page: memory does not grow with the records, and a
 * record that only one source knows is seen like any other. Every source yields its records in the order of their keys;
 * the demo's ids have one length, so that the order of the texts is the order of (biller, record).
 */
export async function* mergedByRecord(sources: Sources): AsyncGenerator<Found> {
  const { manifest, projection, books } = sources;
  const cursors = {
    manifest: new Cursor(
      inPages<ManifestRecord>((after) => manifest.records(after?.record, PAGE)),
      ({ record }) => record,
    ),
    rows: new Cursor(rowsOf(sources.shards), (row) => recordKey(row.billerId, row.dpId)),
    projected: new Cursor(
      inPages<ProjectedRecord>((after) => projection.entries(after?.record, PAGE)),
      ({ record }) => record,
    ),
    effects: new Cursor(
      inPages<BookedEffects>((after) => books.effects(after, PAGE)),
      ({ reference }) => reference,
    ),
    declines: new Cursor(
      inPages<BookedReference>((after) => books.declines(after, PAGE)),
      ({ reference }) => reference,
    ),
    unclear: new Cursor(
      inPages<RecordKey>((after) => books.unclearReferences(after, PAGE)),
      (reference) => reference,
    ),
  };
  const all = Object.values(cursors) as Cursor<unknown>[];
  for (;;) {
    const keys = (await Promise.all(all.map((cursor) => cursor.peek()))).filter((key) => key !== undefined);
    if (keys.length === 0) return;
    const record = keys.reduce((least, key) => (key < least ? key : least));
    yield {
      record,
      manifest: await cursors.manifest.take(record),
      row: await cursors.rows.take(record),
      projected: await cursors.projected.take(record),
      effects: await cursors.effects.take(record),
      declines: (await cursors.declines.take(record))?.count ?? 0,
      hadUnclearFault: (await cursors.unclear.take(record)) !== undefined,
    };
  }
}

class Cursor<Item> {
  private head: Item | undefined;
  private ended = false;

  constructor(
    private readonly items: AsyncIterator<Item>,
    private readonly keyOf: (item: Item) => RecordKey,
  ) {}

  async peek(): Promise<RecordKey | undefined> {
    if (this.head === undefined && !this.ended) {
      const next = await this.items.next();
      if (next.done === true) this.ended = true;
      else this.head = next.value;
    }
    return this.head === undefined ? undefined : this.keyOf(this.head);
  }

  /** The item of this key, once. */
  async take(key: RecordKey): Promise<Item | undefined> {
    if ((await this.peek()) !== key) return undefined;
    const { head } = this;
    this.head = undefined;
    return head;
  }
}

async function* inPages<Item>(
  read: (after: Item | undefined) => readonly Item[] | Promise<readonly Item[]>,
): AsyncGenerator<Item> {
  for (let after: Item | undefined; ;) {
    const page = await read(after);
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1);
  }
}

async function* rowsOf(shards: Shards): AsyncGenerator<DpRow> {
  const homes = (
    await Promise.all(shards.all().map(async (shard) => (await shard.billers()).map((biller) => ({ shard, biller }))))
  ).flat();
  homes.sort((a, b) => (a.biller < b.biller ? -1 : a.biller > b.biller ? 1 : 0));
  for (const { shard, biller } of homes) yield* inPages<DpRow>((after) => rowsAfter(shard, biller, after));
}

const rowsAfter = (shard: Shard, billerId: DpRow['billerId'], after: DpRow | undefined): Promise<readonly DpRow[]> =>
  shard.rowsByStatus({
    statuses: ROW_STATUSES,
    billerId,
    max: PAGE,
    ...(after === undefined ? {} : { after: after.dpId }),
  });
