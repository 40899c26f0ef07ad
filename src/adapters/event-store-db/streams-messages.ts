import { Empty, StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb';
import { AppendReq, ReadReq, type ReadResp } from '@eventstore/db-client/generated/streams_pb';
import {
  type EventAddress,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type StoredEvent,
} from '../../application/ports/event-store';
import { type LoggedEvent } from '../../application/ports/event-log';
import { isDamage, PortFailure } from '../../application/ports/failures';
import { STREAM_CATEGORIES, type StreamName } from '../../domain/identifiers';
import { invariant } from '../../domain/invariant';

/** An event as stored, with the size of the append that brought it; 0 on the others of that append. */
export interface ReadEvent {
  readonly event: StoredEvent;
  readonly batchEvents: number;
}

/**
 * Stored beside our metadata on the first event of each append, so that a repeated append can be told from a part or an
 * extension of one. Its name is stored for ever.
 */
const BATCH_EVENTS = 'batchEvents';

export function appendRequests(
  stream: StreamName,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): AppendReq[] {
  const options = new AppendReq.Options().setStreamIdentifier(identifier(stream));
  if (expected === 'new') options.setNoStream(new Empty());
  else options.setRevision(String(expected));
  return [
    new AppendReq().setOptions(options),
    ...events.map((event, index) =>
      new AppendReq().setProposedMessage(proposed(event, index === 0 ? events.length : 0)),
    ),
  ];
}

function proposed({ id, type, data, metadata }: NewEvent, batchEvents: number): AppendReq.ProposedMessage {
  const text = JSON.stringify(data) as string | undefined;
  invariant(text !== undefined, `the data of event ${type} (${id}) is not JSON`);
  const message = new AppendReq.ProposedMessage()
    .setId(new UUID().setString(id))
    .setData(Buffer.from(text))
    .setCustomMetadata(
      Buffer.from(JSON.stringify(batchEvents === 0 ? metadata : { ...metadata, [BATCH_EVENTS]: batchEvents })),
    );
  message.getMetadataMap().set('type', type).set('content-type', 'application/json');
  return message;
}

export function readStreamRequest(stream: StreamName, fromRevision: number, max: number): ReadReq {
  const options = new ReadReq.Options.StreamOptions()
    .setStreamIdentifier(identifier(stream))
    .setRevision(String(fromRevision));
  return new ReadReq().setOptions(readOptions(max).setStream(options).setNoFilter(new Empty()));
}

/** `from` is inclusive, as EventStoreDB reads $all. Events of the system (their types begin with `$`) are left out. */
export function readAllRequest(
  from: Position | undefined,
  max: number,
  categories: readonly string[] | undefined,
): ReadReq {
  const all = new ReadReq.Options.AllOptions();
  if (from === undefined) all.setStart(new Empty());
  else {
    const { commit, prepare } = logPosition(from);
    all.setPosition(
      new ReadReq.Options.Position().setCommitPosition(String(commit)).setPreparePosition(String(prepare)),
    );
  }
  const filter = new ReadReq.Options.FilterOptions().setCount(new Empty()).setCheckpointintervalmultiplier(1);
  const { Expression } = ReadReq.Options.FilterOptions;
  if (categories === undefined) filter.setEventType(new Expression().setRegex('^[^$]'));
  else filter.setStreamIdentifier(new Expression().setPrefixList(categories.map((category) => `${category}-`)));
  return new ReadReq().setOptions(readOptions(max).setAll(all).setFilter(filter));
}

/** The newest event of ours: what other programs keep in the same store may be taken away at any time. */
export function readHeadRequest(): ReadReq {
  const all = new ReadReq.Options.AllOptions().setEnd(new Empty());
  const filter = new ReadReq.Options.FilterOptions().setCount(new Empty()).setCheckpointintervalmultiplier(1);
  const { Expression } = ReadReq.Options.FilterOptions;
  filter.setStreamIdentifier(new Expression().setPrefixList(STREAM_CATEGORIES.map((category) => `${category}-`)));
  const options = readOptions(1).setReadDirection(ReadReq.Options.ReadDirection.BACKWARDS);
  return new ReadReq().setOptions(options.setAll(all).setFilter(filter));
}

/** Where the events of an answer stand; what they say is not looked at, since others may have written it. */
export const addressesOf = (responses: readonly ReadResp[]): readonly EventAddress[] =>
  recordedIn(responses).map(addressOf);

const addressOf = (recorded: Recorded): EventAddress => ({
  stream: streamOf(recorded),
  revision: Number(recorded.getStreamRevision()),
  position: positionOf(recorded),
  id: recorded.getId()!.getString(),
});

const identifier = (stream: string): StreamIdentifier => new StreamIdentifier().setStreamName(Buffer.from(stream));

const readOptions = (max: number): ReadReq.Options =>
  new ReadReq.Options()
    .setReadDirection(ReadReq.Options.ReadDirection.FORWARDS)
    .setResolveLinks(false)
    .setCount(String(max))
    .setUuidOption(new ReadReq.Options.UUIDOption().setString(new Empty()));

const POSITION = /^(\d{1,20})\/(\d{1,20})$/;

function logPosition(position: Position): { readonly commit: bigint; readonly prepare: bigint } {
  const match = POSITION.exec(position);
  invariant(match, `a position is one that readAll returned, got ${JSON.stringify(position)}`);
  return { commit: BigInt(match[1]!), prepare: BigInt(match[2]!) };
}

/** True where `position` stands behind `after` in the log; always, where there is no `after`. */
export function standsAfter(position: Position, after: Position | undefined): boolean {
  if (after === undefined) return true;
  const [one, other] = [logPosition(position), logPosition(after)];
  return one.commit > other.commit || (one.commit === other.commit && one.prepare > other.prepare);
}

/**
 * The events of a stream's answer; none where the stream does not exist. Other messages (last positions) say nothing we
 * need, and events of the system inside a stream of ours (a tombstone) are not ours. Throws where a stranger's event
 * stands in the stream: its revisions would have a hole.
 */
export const eventsOf = (responses: readonly ReadResp[]): readonly ReadEvent[] =>
  recordedIn(responses).filter(isNoSystemEvent).map(readEvent);

/** One event that lies in our streams and cannot be read, in words. */
export interface PassedOver {
  readonly position: Position;
  readonly what: string;
}

/**
 * The events of an answer of $all that datapump wrote, in words those that it wrote and that cannot be read, and where the
 * answer ends. What other programs keep in the same store is passed over, whatever it is; what they wrote into a category
 * of ours cannot be told from what was damaged, and is named.
 */
export function ownEventsOf(responses: readonly ReadResp[]): {
  readonly events: readonly StoredEvent[];
  readonly damaged: readonly PassedOver[];
  readonly read: number;
  readonly last: Position | undefined;
} {
  const recorded = recordedIn(responses);
  const events: StoredEvent[] = [];
  const damaged: PassedOver[] = [];
  for (const each of recorded.filter(isNoSystemEvent)) {
    try {
      events.push(readEvent(each).event);
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (standsAmongOurs(each)) damaged.push({ position: positionOf(each), what: error.message });
    }
  }
  const last = recorded.at(-1);
  return { events, damaged, read: recorded.length, last: last && positionOf(last) };
}

type Recorded = ReadResp.ReadEvent.RecordedEvent;

const recordedIn = (responses: readonly ReadResp[]): readonly Recorded[] =>
  responses.flatMap((response) => response.getEvent()?.getEvent() ?? []);

const isNoSystemEvent = (recorded: Recorded): boolean => !recorded.getMetadataMap().get('type')?.startsWith('$');

const streamOf = (recorded: Recorded): StreamName =>
  Buffer.from(recorded.getStreamIdentifier()!.getStreamName_asU8()).toString() as StreamName;

const positionOf = (recorded: Recorded): Position =>
  `${recorded.getCommitPosition()}/${recorded.getPreparePosition()}` as Position;

/** Each event of ours says who wrote it and when. */
const isOurs = (metadata: unknown): boolean => {
  const { by, at } = (metadata ?? {}) as Partial<StoredEvent['metadata']>;
  return typeof by === 'string' && typeof at === 'string';
};

const OUR_CATEGORIES: ReadonlySet<string> = new Set(STREAM_CATEGORIES);

/** By its stream, or by its metadata, where those are left. */
function standsAmongOurs(recorded: Recorded): boolean {
  const stream = streamOf(recorded);
  if (OUR_CATEGORIES.has(stream.slice(0, Math.max(0, stream.indexOf('-'))))) return true;
  try {
    return isOurs(JSON.parse(Buffer.from(recorded.getCustomMetadata_asU8()).toString()));
  } catch {
    return false;
  }
}

/** The events of an answer as they lie there: nothing is parsed, and what we store beside the metadata is taken off. */
export function loggedEventsOf(responses: readonly ReadResp[]): readonly LoggedEvent[] {
  return recordedIn(responses)
    .filter(isNoSystemEvent)
    .map((recorded) => ({
      stream: streamOf(recorded),
      revision: recorded.getStreamRevision(),
      position: positionOf(recorded),
      id: recorded.getId()!.getString(),
      type: recorded.getMetadataMap().get('type') ?? '',
      data: Buffer.from(recorded.getData_asU8()).toString(),
      metadata: Buffer.from(recorded.getCustomMetadata_asU8()).toString().replace(BATCH_EVENTS_AT_END, '}'),
    }));
}

const BATCH_EVENTS_AT_END = new RegExp(`,"${BATCH_EVENTS}":\\d{1,9}\\}$`);

function readEvent(recorded: Recorded): ReadEvent {
  const address = addressOf(recorded);
  const { stream, revision } = address;
  const type = recorded.getMetadataMap().get('type') ?? '';
  const { [BATCH_EVENTS]: batchEvents = 0, ...metadata } = (parsed(
    recorded.getCustomMetadata_asU8(),
    stream,
    revision,
  ) ?? {}) as StoredEvent['metadata'] & { readonly [BATCH_EVENTS]?: number };
  if (!isOurs(metadata)) throw damagedEvent(stream, revision, 'its metadata name no writer and no time');
  return {
    event: {
      ...address,
      type,
      data: parsed(recorded.getData_asU8(), stream, revision),
      metadata,
    },
    batchEvents,
  };
}

function parsed(bytes: Uint8Array, stream: StreamName, revision: number): object {
  let value: unknown;
  let cause: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    cause = error;
  }
  if (typeof value === 'object' && value !== null) return value;
  throw damagedEvent(stream, revision, cause === undefined ? 'no object' : 'no JSON', cause);
}

const damagedEvent = (stream: StreamName, revision: number, why: string, cause?: unknown): PortFailure =>
  new PortFailure(
    `event ${revision} of stream ${stream} is damaged, or was not written by datapump (${why}): restore the event store from a backup, or give datapump an event store of its own`,
    { code: 'storage-damaged', retryable: false, facts: { stream, revision }, cause },
  );
