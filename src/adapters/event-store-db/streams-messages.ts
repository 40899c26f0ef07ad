import { Empty, StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb';
import { AppendReq, ReadReq, type ReadResp } from '@eventstore/db-client/generated/streams_pb';
import {
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type StoredEvent,
} from '../../application/ports/event-store';
import { PortFailure } from '../../application/ports/failures';
import { type StreamName } from '../../domain/identifiers';
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
 * The events of an answer; none where the stream does not exist. Other messages (last positions) say nothing we need,
 * and events of the system inside a stream of ours (a tombstone) are not ours.
 */
export function eventsOf(responses: readonly ReadResp[]): readonly ReadEvent[] {
  return responses.flatMap((response) => {
    const recorded = response.getEvent()?.getEvent();
    return recorded && !recorded.getMetadataMap().get('type')?.startsWith('$') ? [readEvent(recorded)] : [];
  });
}

function readEvent(recorded: ReadResp.ReadEvent.RecordedEvent): ReadEvent {
  const stream = Buffer.from(recorded.getStreamIdentifier()!.getStreamName_asU8()).toString() as StreamName;
  const revision = Number(recorded.getStreamRevision());
  const type = recorded.getMetadataMap().get('type') ?? '';
  const { [BATCH_EVENTS]: batchEvents = 0, ...metadata } = parsed(
    recorded.getCustomMetadata_asU8(),
    stream,
    revision,
  ) as StoredEvent['metadata'] & { readonly [BATCH_EVENTS]?: number };
  return {
    event: {
      stream,
      revision,
      position: `${recorded.getCommitPosition()}/${recorded.getPreparePosition()}` as Position,
      id: recorded.getId()!.getString(),
      type,
      data: parsed(recorded.getData_asU8(), stream, revision),
      metadata,
    },
    batchEvents,
  };
}

function parsed(bytes: Uint8Array, stream: StreamName, revision: number): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw new PortFailure(
      `event ${revision} of stream ${stream} was not written by datapump (no JSON): read by category, or give datapump an event store of its own`,
      { code: 'storage-foreign', retryable: false, facts: { stream, revision }, cause: error },
    );
  }
}
