import { type Database } from 'better-sqlite3';
import { LOG_PAGE_EVENTS_MAX, type EventLog, type LoggedEvent, type LogPage } from '../../application/ports/event-log';
import { type Position } from '../../application/ports/event-store';
import { invariant } from '../../domain/invariant';
import { readPastDamage } from './past-damage';
import { isDamaged, openSqliteFile, prepared, readFailure } from './sqlite-file';
import { EVENT_STORE_SCHEMA } from './sqlite-event-store';

/** Positions are 64-bit: a place before the first one that there can be. */
const BEFORE_ALL = -(2n ** 63n);
const LAST = 2n ** 63n - 1n;

/** position, stream's name, its number, revision, category, id, type, data, metadata. */
type Line = readonly [bigint, unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown];

/**
 * The events of an event store's file as they lie there, over a connection of its own: it takes no lock that an append
 * waits for. A page of the file that SQLite cannot read is passed over, event by event.
 */
export class SqliteEventLog implements EventLog {
  private readonly database: Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(private readonly options: { readonly path: string }) {
    this.database = openSqliteFile({ ...options, kind: 'event-store', schema: EVENT_STORE_SCHEMA });
    this.statements = prepared(this.database, { path: options.path, kind: 'event-store' }, () =>
      prepare(this.database),
    );
  }

  get place(): string {
    return this.options.path;
  }

  async page(options: { readonly after?: Position; readonly upTo?: Position; readonly max: number }): Promise<LogPage> {
    const { max } = options;
    invariant(
      Number.isSafeInteger(max) && max >= 1 && max <= LOG_PAGE_EVENTS_MAX,
      `a page of the log holds 1 to ${LOG_PAGE_EVENTS_MAX} events, got ${max}`,
    );
    const after = options.after === undefined ? BEFORE_ALL : placeOf(options.after);
    const upTo = options.upTo === undefined ? LAST : placeOf(options.upTo);
    const { lines, unreadable, past } = this.linesAfter(after, upTo, max);
    const events = lines.map(loggedEvent);
    const next = past === undefined ? (events.at(-1)?.position ?? options.after) : (String(past) as Position);
    return { events, unreadable, next };
  }

  close(): void {
    this.database.close();
  }

  private linesAfter(after: bigint, upTo: bigint, max: number) {
    try {
      // The first and the last place that there can be are taken, too.
      const lines =
        after === BEFORE_ALL ? this.statements.first.all(upTo, max) : this.statements.page.all(after, upTo, max);
      return { lines, unreadable: [], past: undefined };
    } catch (error) {
      if (!isDamaged(error)) throw readFailure('failed to read the log of events', this.options.path, error);
      return this.pastDamage(after, upTo, max);
    }
  }

  private pastDamage(after: bigint, upTo: bigint, max: number) {
    const { first, page } = this.statements;
    return readPastDamage<Line>({
      after,
      upTo,
      max,
      path: this.options.path,
      table: 'event',
      one: (behind) => (behind === BEFORE_ALL ? first.all(upTo, 1) : page.all(behind, upTo, 1))[0],
      placeOf: ([position]) => position,
    });
  }
}

function placeOf(position: Position): bigint {
  invariant(/^-?\d{1,19}$/.test(position), `a position is one that the log returned, got ${JSON.stringify(position)}`);
  return BigInt(position);
}

/** A value that is no text was never written by datapump: it is marked, so that it can equal no text. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : `(no text) ${String(value)}`);

function loggedEvent([position, name, number, revision, category, id, type, data, metadata]: Line): LoggedEvent {
  const stream = name === null ? `(no stream ${String(number)})` : textOf(name);
  const oddity = oddityOf(position, stream, category);
  return {
    stream,
    revision: typeof revision === 'bigint' ? String(revision) : `(no number) ${String(revision)}`,
    position: String(position) as Position,
    id: textOf(id),
    type: textOf(type),
    data: textOf(data),
    metadata: textOf(metadata),
    ...(oddity === undefined ? {} : { oddity }),
  };
}

/** What hides an event from readers that go by position or by category. */
function oddityOf(position: bigint, stream: string, category: unknown): string | undefined {
  if (position < 1n) return `it stands at position ${position}, where no reader looks`;
  const due = stream.split('-', 1)[0]!;
  return category === due ? undefined : `it is filed under category ${String(category)}, expected ${due}`;
}

function prepare(database: Database) {
  const columns =
    'event.position, stream.name, event.stream, event.revision, event.category, event.id, event.type, event.data, event.metadata';
  const from = `SELECT ${columns} FROM event LEFT JOIN stream ON stream.id = event.stream WHERE`;
  const ordered = 'ORDER BY event.position LIMIT ?';
  const lines = <Parameters extends unknown[]>(text: string) => database.prepare<Parameters>(text).raw().safeIntegers();
  return {
    first: lines<[bigint, number]>(`${from} event.position <= ? ${ordered}`) as unknown as Lines<[bigint, number]>,
    page: lines<[bigint, bigint, number]>(
      `${from} event.position > ? AND event.position <= ? ${ordered}`,
    ) as unknown as Lines<[bigint, bigint, number]>,
  };
}

interface Lines<Parameters extends unknown[]> {
  all(...parameters: Parameters): Line[];
}
