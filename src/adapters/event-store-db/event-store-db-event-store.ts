import { randomUUID } from 'node:crypto';
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
import { LOG_PAGE_EVENTS_MAX, type EventLog, type LogPage } from '../../application/ports/event-log';
import { PortFailure, VersionConflict } from '../../application/ports/failures';
import { type StreamName } from '../../domain/identifiers';
import { instantFromMs } from '../../domain/instant';
import { invariant, InvariantViolation } from '../../domain/invariant';
import { SecretInUse } from '../shared/secret-in-use';
import { connectionStringHosts, connectionStringProblems, withScheme } from './connection-string';
import { eventStoreDbClient } from './event-store-db-client';
import { eventStoreFailure } from './event-store-failure';
import { SentIds } from './sent-ids';
import { StreamsWire } from './streams-wire';
import { type VendorClient } from './vendor-client';
import {
  addressesOf,
  appendRequests,
  eventsOf,
  loggedEventsOf,
  readAllRequest,
  readHeadRequest,
  readStreamRequest,
  ownEventsOf,
  standsAfter,
  type PassedOver,
  type ReadEvent,
} from './streams-messages';
import { checkAppend } from '../shared/port-terms';

const DEADLINE_MS = 10_000;
/** Its one event holds what tells this store from every other; the name is stored for ever. */
const IDENTITY_STREAM = 'datapumpStore-identity' as StreamName;
/** A stream longer than this many pages is a defect, not a history. */
const PAGES_MAX = 50;

/**
 * The event store in EventStoreDB (or KurrentDB), version 20.6 or later. A position is `<commit>/<prepare>` of the log.
 *
 * EventStoreDB judges a repeat event by event: an append whose ids all stand at the revisions asked for succeeds and
 * adds nothing, be it a whole stored batch, a part of one or a run over several; ids that stand elsewhere in the stream
 * are appended again. Law 5 wants batches. So whenever ids that this process has sent to a stream are sent again, the
 * stream is read and the law applied here; ids sent for the first time, which is nearly every append, cost one call.
 * For ids that only ANOTHER process has sent, the server's own rule holds: docs/adr/0014-event-store-db-repeats.md.
 */
export class EventStoreDbEventStore implements EventStore, EventLog {
  private wire: StreamsWire;
  private hosts: string;
  private readonly secret: SecretInUse;
  private readonly sent = new SentIds();
  private readonly underWay = new Set<Promise<unknown>>();
  private closed = false;

  /** Connects with the first call. Throws a TypeError with all that is wrong with the connection string. */
  constructor(
    private readonly options: {
      readonly connectionString: string;
      /** Reads the connection string again, after the server refused its user. */
      readonly reread?: () => Promise<string>;
      /** Whose client connects; undefined: EventStoreDB's. */
      readonly client?: VendorClient;
      /** Of each call. An append that reaches it may still have taken effect. */
      readonly deadlineMs?: number;
    },
  ) {
    const { connectionString, reread } = options;
    this.wire = this.connected(connectionString);
    this.hosts = connectionStringHosts(connectionString);
    this.secret = new SecretInUse(connectionString, {
      reread,
      connect: (renewed) => {
        const old = this.wire;
        this.wire = this.connected(renewed);
        this.hosts = connectionStringHosts(renewed);
        void Promise.allSettled(this.underWay).then(() => old.close());
      },
    });
  }

  async append(
    stream: StreamName,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<{ readonly revision: number }> {
    checkAppend(stream, expected, events);
    const step = `append ${events.length} event(s) to stream ${stream} at ${expected === 'new' ? 'no event' : `revision ${expected}`}`;
    // Made now, not after a wait: what the caller changes later must not change what is stored.
    const batch: Batch = { stream, expected, events, requests: appendRequests(stream, expected, events) };
    const areNew = this.sent.areNew(stream, events);
    return this.run(
      step,
      async () => ({ revision: areNew ? await this.appendOnce(batch) : await this.appendAgain(batch) }),
      batch.requests,
    );
  }

  async readStream(
    stream: StreamName,
    options: { readonly fromRevision?: number; readonly max?: number } = {},
  ): Promise<readonly StoredEvent[]> {
    const { fromRevision = 0, max = READ_EVENTS_MAX } = options;
    checkPage(max);
    const page = await this.run(`read stream ${stream}`, () => this.pageOf(stream, fromRevision, max));
    return page.map(({ event }) => event);
  }

  async readAll(options: {
    readonly after?: Position;
    readonly max: number;
    readonly categories?: readonly string[];
  }): Promise<EventPage> {
    const { after, max, categories } = options;
    checkPage(max);
    if (categories?.length === 0) return { events: [], next: after };
    const damaged: PassedOver[] = [];
    let from = after;
    for (let page = 0; page < PAGES_MAX; page++) {
      // The event at `from` may come again (positions are inclusive here), hence one more.
      const request = readAllRequest(from, max + 1, categories);
      const found = await this.run('read all streams', async () => ownEventsOf(await this.wire.read(request)));
      const behind = found.events.filter(({ position }) => standsAfter(position, from));
      const events = behind.slice(0, max);
      const end = behind.length > max ? events.at(-1)!.position : found.last;
      damaged.push(
        ...found.damaged.filter(
          ({ position }) => standsAfter(position, from) && (end === undefined || !standsAfter(position, end)),
        ),
      );
      from = end ?? from;
      // Nothing of ours that can be read so far: what can may follow.
      if (events.length > 0 || found.read <= max) return pageOf(events, from, damaged);
    }
    return pageOf([], from, damaged);
  }

  get place(): string {
    return `EventStoreDB ${this.hosts}`;
  }

  async page(options: { readonly after?: Position; readonly upTo?: Position; readonly max: number }): Promise<LogPage> {
    const { after, upTo, max } = options;
    invariant(
      Number.isSafeInteger(max) && max >= 1 && max <= LOG_PAGE_EVENTS_MAX,
      `a page of the log holds 1 to ${LOG_PAGE_EVENTS_MAX} events, got ${max}`,
    );
    const request = readAllRequest(after, max + 1, undefined);
    const read = await this.run('read the log of events', async () => loggedEventsOf(await this.wire.read(request)));
    const events = read
      .filter(({ position }) => standsAfter(position, after) && (upTo === undefined || !standsAfter(position, upTo)))
      .slice(0, max);
    return { events, unreadable: [], next: events.at(-1)?.position ?? after };
  }

  /** Read at each call: another server, or the same one emptied, may answer behind the same address. */
  async identity(): Promise<StoreIdentity> {
    const known = await this.storedIdentity();
    if (known !== undefined) return known;
    const drawn = {
      id: randomUUID(),
      type: 'EventStoreIdentified',
      data: { identity: randomUUID().replaceAll('-', '') },
      metadata: { by: 'datapump', at: instantFromMs(Date.now()) },
    };
    try {
      await this.append(IDENTITY_STREAM, 'new', [drawn]);
    } catch (error) {
      // Another client drew first: its word holds.
      if (!(error instanceof VersionConflict)) throw error;
    }
    const stored = await this.storedIdentity();
    invariant(stored !== undefined, `stream ${IDENTITY_STREAM} was appended to and is empty`);
    return stored;
  }

  async head(): Promise<EventAddress | undefined> {
    return this.run('read the head of the store', async () => addressesOf(await this.wire.read(readHeadRequest()))[0]);
  }

  /** By stream and revision: a position that the log does not have is an error to some servers and nothing to others. */
  async holds({ stream, revision, id }: EventAddress): Promise<boolean> {
    const request = readStreamRequest(stream, revision, 1);
    return this.run(`look for event ${id}`, async () =>
      addressesOf(await this.wire.read(request)).some((found) => found.id === id && found.revision === revision),
    );
  }

  isAfter(position: Position, other: Position): Promise<boolean> {
    return Promise.resolve(standsAfter(position, other));
  }

  /** Lets what is under way end, each within its deadline, then disconnects. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await Promise.allSettled(this.underWay);
    await this.wire.close();
  }

  private async storedIdentity(): Promise<StoreIdentity | undefined> {
    const [first] = await this.readStream(IDENTITY_STREAM, { max: 1 });
    return (first?.data as { readonly identity: StoreIdentity } | undefined)?.identity;
  }

  private connected(connectionString: string): StreamsWire {
    const problems = connectionStringProblems(connectionString, { production: false });
    if (problems.length > 0) throw new TypeError(problems.join('; '));
    const { client = eventStoreDbClient } = this.options;
    return new StreamsWire(client, withScheme(connectionString, client.scheme), this.options.deadlineMs ?? DEADLINE_MS);
  }

  private async appendOnce({ stream, expected, events, requests }: Batch): Promise<number> {
    const response = await this.wire.append(requests).catch((error: unknown) => {
      throw conflictOf(error, stream, expected) ?? error;
    });
    const wrong = response.getWrongExpectedVersion();
    if (wrong) {
      const actual = wrong.hasCurrentRevision() ? Number(wrong.getCurrentRevision()) : 'new';
      throw new VersionConflict(stream, expected, actual);
    }
    const last = lastRevision(expected, events);
    const reached = Number(response.getSuccess()?.getCurrentRevision());
    if (reached === last) return last;
    throw new PortFailure(
      `stream ${stream} was deleted and began anew: what was appended for revision ${last} stands at ${reached}`,
      { code: 'not-found', retryable: false, facts: { stream, expected: last, actual: reached } },
    );
  }

  /** Ids that were sent before: by law 4 an idempotent success, by law 5 a conflict, or the first did not arrive. */
  private async appendAgain(batch: Batch): Promise<number> {
    const { stream, expected, events } = batch;
    if (!(await this.stands(batch))) {
      await this.appendOnce(batch);
      // The first sending may have arrived in between, cut otherwise.
      if (!(await this.stands(batch))) throw new VersionConflict(stream, expected, lastRevision(expected, events));
    }
    return lastRevision(expected, events);
  }

  /** True: this very batch stands there. False: none of its ids is in the stream. Else VersionConflict. */
  private async stands({ stream, expected, events }: Batch): Promise<boolean> {
    const stored = await this.wholeStream(stream);
    const first = expected === 'new' ? 0 : expected + 1;
    const same =
      stored[first]?.batchEvents === events.length &&
      events.every(({ id }, index) => stored[first + index]?.event.id === id);
    if (same) return true;
    const ids = new Set(events.map(({ id }) => id));
    if (!stored.some(({ event }) => ids.has(event.id))) return false;
    throw new VersionConflict(stream, expected, stored.length - 1);
  }

  private async wholeStream(stream: StreamName): Promise<readonly ReadEvent[]> {
    const events: ReadEvent[] = [];
    for (let page = 0; page < PAGES_MAX; page++) {
      const read = await this.pageOf(stream, events.length, READ_EVENTS_MAX);
      events.push(...read);
      if (read.length < READ_EVENTS_MAX) return events;
    }
    invariant(false, `stream ${stream} has more than ${PAGES_MAX * READ_EVENTS_MAX} events`);
  }

  private async pageOf(stream: StreamName, fromRevision: number, max: number): Promise<readonly ReadEvent[]> {
    return eventsOf(await this.wire.read(readStreamRequest(stream, fromRevision, max)));
  }

  private async run<T>(step: string, work: () => Promise<T>, sent: Batch['requests'] = []): Promise<T> {
    if (this.closed) {
      throw new PortFailure(`failed to ${step}: the connection to the event store ${this.hosts} was closed`, {
        code: 'closed',
        retryable: false,
        facts: { hosts: this.hosts },
      });
    }
    return this.secret.run('streams', async () => {
      const working = work();
      this.underWay.add(working);
      try {
        return await working;
      } catch (error) {
        if (error instanceof VersionConflict || error instanceof InvariantViolation) throw error;
        throw eventStoreFailure(step, this.hosts, error, bytesOf(sent));
      } finally {
        this.underWay.delete(working);
      }
    });
  }
}

interface Batch {
  readonly stream: StreamName;
  readonly expected: ExpectedRevision;
  readonly events: readonly NewEvent[];
  readonly requests: ReturnType<typeof appendRequests>;
}

/** Servers of before 20.10 and some proxies tell a conflict as an error instead of an answer. */
function conflictOf(error: unknown, stream: StreamName, expected: ExpectedRevision): VersionConflict | undefined {
  const { type, actualVersion } = error as { readonly type?: unknown; readonly actualVersion?: unknown };
  if (type !== 'wrong-expected-version') return undefined;
  const actual = Number(actualVersion);
  return new VersionConflict(stream, expected, Number.isSafeInteger(actual) && actual >= 0 ? actual : 'new');
}

const bytesOf = (requests: Batch['requests']): number =>
  requests.reduce((sum, request) => sum + request.serializeBinary().length, 0);

const lastRevision = (expected: ExpectedRevision, events: readonly NewEvent[]): number =>
  (expected === 'new' ? -1 : expected) + events.length;

function checkPage(max: number): void {
  invariant(
    Number.isSafeInteger(max) && max >= 1 && max <= READ_EVENTS_MAX,
    `a page holds 1 to ${READ_EVENTS_MAX} events, got ${max}`,
  );
}

const pageOf = (
  events: readonly StoredEvent[],
  next: Position | undefined,
  damaged: readonly PassedOver[],
): EventPage => ({
  events,
  next,
  ...(damaged.length === 0 ? {} : { damaged: damaged.map(({ what }) => what) }),
});
