import { type Database } from 'better-sqlite3';
import {
  READ_EVENTS_MAX,
  type EventPage,
  type EventAddress,
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type StoredEvent,
  type StoreIdentity,
} from '../../application/ports/event-store';
import { isDamage, VersionConflict } from '../../application/ports/failures';
import { type StreamName } from '../../domain/identifiers';
import { invariant } from '../../domain/invariant';
import { damagedFailure } from '../shared/damage';
import { GroupCommit } from './group-commit';
import { readPastDamage } from './past-damage';
import { isDamaged, OpenedFile, openSqliteFile, prepared, readFailure } from './sqlite-file';
import { checkAppend } from '../shared/port-terms';

/*
 * `batch_events` stands on the first event of each append and says how many came with it (0 on the others), so that a
 * repeated append can be told from a part or an extension of one. The ids are unique per stream only: an append never
 * fails because of another stream. Nothing is ever deleted, so positions grow and are never used twice.
 */
export const EVENT_STORE_SCHEMA = [
  `CREATE TABLE stream (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
   CREATE TABLE event (
     position INTEGER PRIMARY KEY,
     stream INTEGER NOT NULL REFERENCES stream (id),
     revision INTEGER NOT NULL,
     batch_events INTEGER NOT NULL,
     category TEXT NOT NULL,
     id TEXT NOT NULL,
     type TEXT NOT NULL,
     data TEXT NOT NULL,
     metadata TEXT NOT NULL
   );
   CREATE UNIQUE INDEX event_by_revision ON event (stream, revision);
   CREATE UNIQUE INDEX event_by_id ON event (stream, id);
   CREATE INDEX event_by_category ON event (category, position);`,
  `CREATE TABLE store_identity (identity TEXT NOT NULL);
   INSERT INTO store_identity (identity) VALUES (lower(hex(randomblob(16))));`,
];

interface EventRow {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
}

interface PreparedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
}

const COLUMNS =
  'event.position, stream.name AS stream, event.revision, event.id, event.type, event.data, event.metadata';

/** The event store in one SQLite file, for any number of processes on one machine. A position is the row's number. */
export class SqliteEventStore implements EventStore {
  private readonly database: Database;
  private readonly group: GroupCommit;
  private readonly statements: ReturnType<typeof prepare>;
  private readonly file: OpenedFile;

  constructor(private readonly options: { readonly path: string; readonly synchronous?: 'FULL' | 'OFF' }) {
    this.database = openSqliteFile({ ...options, kind: 'event-store', schema: EVENT_STORE_SCHEMA });
    this.file = new OpenedFile(options.path);
    this.group = new GroupCommit(this.database);
    this.statements = prepared(this.database, { path: options.path, kind: 'event-store' }, () =>
      prepare(this.database),
    );
  }

  async append(
    stream: StreamName,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<{ readonly revision: number }> {
    checkAppend(stream, expected, events);
    // Text is made now, not in the group: what the caller changes later must not change what is stored.
    const prepared = events.map(preparedEvent);
    return this.group.run(
      () => ({ revision: this.appendNow(stream, expected, prepared) }),
      `append ${events.length} event(s) to stream ${stream} at ${expected === 'new' ? 'no event' : `revision ${expected}`}`,
    );
  }

  async readStream(
    stream: StreamName,
    options: { readonly fromRevision?: number; readonly max?: number } = {},
  ): Promise<readonly StoredEvent[]> {
    const { fromRevision = 0, max = READ_EVENTS_MAX } = options;
    checkPage(max);
    return this.read(`read stream ${stream}`, () =>
      this.statements.readStream.all(stream, fromRevision, max).map((row) => this.stored(row)),
    );
  }

  async readAll(options: {
    readonly after?: Position;
    readonly max: number;
    readonly categories?: readonly string[];
  }): Promise<EventPage> {
    checkPage(options.max);
    const after = Number(options.after ?? '0');
    invariant(
      Number.isSafeInteger(after) && after >= 0,
      `a position is one that readAll returned, got ${JSON.stringify(options.after)}`,
    );
    const { rows, unreadable, past } = this.read('read all streams', () =>
      this.rowsAfter(after, options.max, options.categories),
    );
    const events: StoredEvent[] = [];
    const damaged = [...unreadable];
    for (const row of rows) {
      try {
        events.push(this.stored(row));
      } catch (error) {
        if (!isDamage(error)) throw error;
        damaged.push(error.message);
      }
    }
    const reached = past ?? rows.at(-1)?.position;
    return {
      events,
      next: reached === undefined ? options.after : (String(reached) as Position),
      ...(damaged.length === 0 ? {} : { damaged }),
    };
  }

  async identity(): Promise<StoreIdentity> {
    this.file.demandSame();
    return this.read('read the identity of the store', () => this.statements.identity.get()!.identity);
  }

  async head(): Promise<EventAddress | undefined> {
    const newest = this.read('read the head of the store', () => this.statements.newest.get());
    return newest && { ...newest, position: String(newest.position) as Position };
  }

  async holds({ stream, revision, id }: EventAddress): Promise<boolean> {
    return this.read(`look for event ${id}`, () => this.statements.idAt.get(stream, revision)?.id === id);
  }

  isAfter(position: Position, other: Position): Promise<boolean> {
    return Promise.resolve(Number(position) > Number(other));
  }

  /** Finishes the appends it has taken, then closes the file. */
  async close(): Promise<void> {
    await this.group.close();
    this.database.close();
  }

  private appendNow(stream: StreamName, expected: ExpectedRevision, events: readonly PreparedEvent[]): number {
    const { statements } = this;
    const streamId = statements.streamId.get(stream)?.id;
    const newest = streamId === undefined ? undefined : statements.newestRevision.get(streamId)?.revision;
    const first = expected === 'new' ? 0 : expected + 1;
    const last = first + events.length - 1;
    if (first !== (newest ?? -1) + 1) {
      if (streamId !== undefined && this.isSameBatch(streamId, first, events)) return last;
      throw new VersionConflict(stream, expected, newest ?? 'new');
    }
    if (streamId !== undefined && events.some(({ id }) => statements.idInStream.get(streamId, id) !== undefined)) {
      throw new VersionConflict(stream, expected, newest ?? 'new');
    }
    const owner = streamId ?? Number(statements.addStream.run(stream).lastInsertRowid);
    const category = categoryOf(stream);
    events.forEach((event, index) => {
      statements.addEvent.run(
        owner,
        first + index,
        index === 0 ? events.length : 0,
        category,
        event.id,
        event.type,
        event.data,
        event.metadata,
      );
    });
    return last;
  }

  private isSameBatch(streamId: number, first: number, events: readonly PreparedEvent[]): boolean {
    const stored = this.statements.storedBatch.all(streamId, first, events.length);
    return stored[0]?.batch_events === events.length && events.every(({ id }, index) => stored[index]?.id === id);
  }

  private pageAfter(after: number, max: number, categories: readonly string[] | undefined): EventRows {
    if (categories === undefined) return { rows: this.statements.readAll.all(after, max), misplaced: 0 };
    // One state for all categories: an event committed between two reads could otherwise be passed over for ever.
    const pages = this.database.transaction(() =>
      [...new Set(categories)].map((category) => this.statements.readCategory.all(category, after, max)),
    )();
    const found = pages.flat();
    // A damaged index yields rows that stand before: a reader led back to them would never end.
    const rows = found.filter(({ position }) => position > after).sort((a, b) => a.position - b.position);
    return { rows: rows.slice(0, max), misplaced: found.length - rows.length };
  }

  private rowsAfter(after: number, max: number, categories: readonly string[] | undefined) {
    try {
      const { rows, misplaced } = this.pageAfter(after, max, categories);
      return { rows, unreadable: misplaced === 0 ? [] : [this.misplacedText(misplaced)], past: undefined };
    } catch (error) {
      if (!isDamaged(error)) throw error;
    }
    const { lines, unreadable, past } = readPastDamage({
      after: BigInt(after),
      upTo: BigInt(Number.MAX_SAFE_INTEGER),
      max,
      path: this.options.path,
      table: 'event',
      one: (behind) => this.pageAfter(Number(behind), 1, categories).rows[0],
      placeOf: ({ position }) => BigInt(position),
    });
    // To the end of the file, as it stands: what is appended later comes behind the last row that could be read. A
    // damaged page may name an end before the place that was reached: a reader led back there would never end.
    const reached = past === BigInt(Number.MAX_SAFE_INTEGER) ? this.newestPosition() : past;
    const isForward = reached !== undefined && Number(reached) > Math.max(after, lines.at(-1)?.position ?? 0);
    return { rows: lines, unreadable, past: isForward ? Number(reached) : undefined };
  }

  private misplacedText(count: number): string {
    const place = { path: this.options.path, table: 'event' };
    return damagedFailure('failed to read all streams', place, `its index names ${count} places out of their order`)
      .message;
  }

  private newestPosition(): number | undefined {
    try {
      return this.statements.newestPosition.get()?.position ?? undefined;
    } catch (error) {
      if (isDamaged(error)) return undefined;
      throw error;
    }
  }

  private stored(row: EventRow): StoredEvent {
    return storedEvent(row, this.options.path);
  }

  private read<T>(step: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw readFailure(`failed to ${step}`, this.options.path, error);
    }
  }
}

interface EventRows {
  readonly rows: readonly EventRow[];
  /** Left out: an index that is damaged named them where they do not belong. */
  readonly misplaced: number;
}

const categoryOf = (stream: string): string => stream.split('-', 1)[0]!;

function checkPage(max: number): void {
  invariant(
    Number.isSafeInteger(max) && max >= 1 && max <= READ_EVENTS_MAX,
    `a page holds 1 to ${READ_EVENTS_MAX} events, got ${max}`,
  );
}

function preparedEvent({ id, type, data, metadata }: NewEvent): PreparedEvent {
  const text = JSON.stringify(data) as string | undefined;
  invariant(text !== undefined, `the data of event ${type} (${id}) is not JSON`);
  return { id, type, data: text, metadata: JSON.stringify(metadata) };
}

/** Whatever was written here is an object, and its numbers and texts are of their kinds: anything else is damage. */
function storedEvent(row: EventRow, path: string): StoredEvent {
  const { stream, revision, position } = row;
  const damage = (why: string, cause?: unknown) =>
    damagedFailure(
      'failed to read an event',
      {
        path,
        table: 'event',
        item: `event ${revision} of stream ${stream} (position ${position})`,
        facts: { stream, revision, position },
      },
      why,
      cause,
    );
  const parsed = (column: 'data' | 'metadata'): unknown => {
    const text: unknown = row[column];
    if (typeof text !== 'string') throw damage(`its ${column} are no text`);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw damage(`its ${column} are no JSON`, error);
    }
    if (typeof value !== 'object' || value === null) throw damage(`its ${column} are no object`);
    return value;
  };
  for (const column of ['stream', 'id', 'type'] as const)
    if (typeof row[column] !== 'string') throw damage(`its ${column} is no text`);
  if (!Number.isSafeInteger(revision)) throw damage('its revision is no whole number');
  const metadata = parsed('metadata') as StoredEvent['metadata'];
  if (typeof metadata.by !== 'string' || typeof metadata.at !== 'string') throw damage('its metadata lack by or at');
  return {
    stream: stream as StreamName,
    revision,
    position: String(position) as Position,
    id: row.id,
    type: row.type,
    data: parsed('data'),
    metadata,
  };
}

function prepare(database: Database) {
  return {
    identity: database.prepare<[], { identity: StoreIdentity }>('SELECT identity FROM store_identity'),
    newest: database.prepare<[], Omit<EventAddress, 'position'> & { readonly position: number }>(
      `SELECT event.position, stream.name AS stream, event.revision, event.id
       FROM event JOIN stream ON stream.id = event.stream ORDER BY event.position DESC LIMIT 1`,
    ),
    idAt: database.prepare<[string, number], { id: string }>(
      'SELECT event.id FROM stream JOIN event ON event.stream = stream.id WHERE stream.name = ? AND event.revision = ?',
    ),
    streamId: database.prepare<[string], { id: number }>('SELECT id FROM stream WHERE name = ?'),
    addStream: database.prepare<[string]>('INSERT INTO stream (name) VALUES (?)'),
    newestRevision: database.prepare<[number], { revision: number }>(
      'SELECT revision FROM event WHERE stream = ? ORDER BY revision DESC LIMIT 1',
    ),
    idInStream: database.prepare<[number, string], { found: number }>(
      'SELECT 1 AS found FROM event WHERE stream = ? AND id = ?',
    ),
    storedBatch: database.prepare<[number, number, number], { id: string; batch_events: number }>(
      'SELECT id, batch_events FROM event WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ?',
    ),
    addEvent: database.prepare<[number, number, number, string, string, string, string, string]>(
      'INSERT INTO event (stream, revision, batch_events, category, id, type, data, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    readStream: database.prepare<[string, number, number], EventRow>(
      `SELECT ${COLUMNS} FROM stream JOIN event ON event.stream = stream.id WHERE stream.name = ? AND event.revision >= ? ORDER BY event.revision LIMIT ?`,
    ),
    newestPosition: database.prepare<[], { position: number }>('SELECT max(position) AS position FROM event'),
    readAll: database.prepare<[number, number], EventRow>(
      `SELECT ${COLUMNS} FROM event JOIN stream ON stream.id = event.stream WHERE event.position > ? ORDER BY event.position LIMIT ?`,
    ),
    readCategory: database.prepare<[string, number, number], EventRow>(
      `SELECT ${COLUMNS} FROM event JOIN stream ON stream.id = event.stream WHERE event.category = ? AND event.position > ? ORDER BY event.position LIMIT ?`,
    ),
  };
}
