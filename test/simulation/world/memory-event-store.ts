import {
  APPEND_EVENTS_MAX,
  type EventAddress,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  READ_EVENTS_MAX,
  type StoredEvent,
  type StoreIdentity,
} from '../../../src/application/ports/event-store';
import { VersionConflict } from '../../../src/application/ports/failures';
import { type StreamName } from '../../../src/domain/identifiers';
import { invariant } from '../../../src/domain/invariant';
import { type RawEvent } from '../checker/fold';
import { type WorldStore } from './world-stores';

interface Stream {
  readonly events: StoredEvent[];
  readonly history: RawEvent[];
  readonly batches: Map<number, number>;
}

/** Streams as they came out of JSON, frozen, so that nobody can change what was stored; answers at once. */
export class MemoryEventStore implements WorldStore {
  private streams = new Map<string, Stream>();
  private all: StoredEvent[] = [];

  constructor(private drawn = 'store-1' as StoreIdentity) {}

  append(stream: StreamName, expected: ExpectedRevision, events: readonly NewEvent[]): { readonly revision: number } {
    invariant(
      events.length >= 1 && events.length <= APPEND_EVENTS_MAX,
      `an append holds 1 to ${APPEND_EVENTS_MAX} events, got ${events.length}`,
    );
    invariant(
      expected === 'new' || (Number.isSafeInteger(expected) && expected >= 0),
      `an expected revision is 'new' or a whole number from 0, got ${expected}`,
    );
    const known = this.streams.get(stream) ?? { events: [], history: [], batches: new Map<number, number>() };
    const first = expected === 'new' ? 0 : expected + 1;
    if (first !== known.events.length) {
      const sameBatch =
        known.batches.get(first) === events.length &&
        events.every(({ id }, index) => known.events[first + index]?.id === id);
      if (sameBatch) return { revision: first + events.length - 1 };
      throw new VersionConflict(stream, expected, known.events.length === 0 ? 'new' : known.events.length - 1);
    }
    if (events.some(({ id }) => known.events.some((stored) => stored.id === id))) {
      throw new VersionConflict(stream, expected, known.events.length - 1);
    }
    this.streams.set(stream, known);
    known.batches.set(first, events.length);
    for (const { id, type, data, metadata } of events) {
      const stored = deeplyFrozen({
        stream,
        revision: known.events.length,
        position: String(this.all.length + 1) as Position,
        id,
        type,
        ...(JSON.parse(JSON.stringify({ data, metadata })) as Pick<StoredEvent, 'data' | 'metadata'>),
      });
      known.events.push(stored);
      known.history.push({
        type,
        data: stored.data as RawEvent['data'],
        position: this.all.push(stored),
        at: stored.metadata.at,
      });
    }
    return { revision: known.events.length - 1 };
  }

  readStream(
    stream: StreamName,
    options: { readonly fromRevision?: number; readonly max?: number } = {},
  ): readonly StoredEvent[] {
    const { fromRevision = 0, max = READ_EVENTS_MAX } = options;
    checkPage(max);
    return (this.streams.get(stream)?.events ?? []).slice(fromRevision, fromRevision + max);
  }

  readAll(options: { readonly after?: Position; readonly max: number; readonly categories?: readonly string[] }): {
    readonly events: readonly StoredEvent[];
    readonly next: Position | undefined;
  } {
    checkPage(options.max);
    const events: StoredEvent[] = [];
    for (let index = Number(options.after ?? 0); index < this.all.length && events.length < options.max; index++) {
      const stored = this.all[index]!;
      if (!options.categories || options.categories.includes(stored.stream.slice(0, stored.stream.indexOf('-'))))
        events.push(stored);
    }
    return { events, next: events.at(-1)?.position ?? options.after };
  }

  identity(): StoreIdentity {
    return this.drawn;
  }

  head(): EventAddress | undefined {
    const newest = this.all.at(-1);
    if (!newest) return undefined;
    const { position, stream, revision, id } = newest;
    return { position, stream, revision, id };
  }

  holds({ stream, revision, id }: EventAddress): boolean {
    return this.streams.get(stream)?.events[revision]?.id === id;
  }

  isAfter(position: Position, other: Position): boolean {
    return Number(position) > Number(other);
  }

  history(stream: string): readonly RawEvent[] {
    return this.streams.get(stream)?.history ?? [];
  }

  /** A backup; called, it brings back what stood there then. */
  snapshot(): () => void {
    const { drawn, all } = this;
    const streams = [...this.streams].map(
      ([name, { events, history, batches }]) =>
        [name, { events: [...events], history: [...history], batches: new Map(batches) }] as const,
    );
    const events = [...all];
    return () => Object.assign(this, { drawn, all: events, streams: new Map(streams) });
  }

  become(other: MemoryEventStore): void {
    Object.assign(this, { drawn: other.drawn, all: other.all, streams: other.streams });
  }

  close(): void {}
}

const checkPage = (max: number): void =>
  invariant(
    Number.isSafeInteger(max) && max >= 1 && max <= READ_EVENTS_MAX,
    `a page holds 1 to ${READ_EVENTS_MAX} events, asked for ${max}`,
  );

function deeplyFrozen<Value extends object>(value: Value): Value {
  for (const member of Object.values(value) as unknown[])
    if (typeof member === 'object' && member !== null) deeplyFrozen(member);
  return Object.freeze(value);
}
