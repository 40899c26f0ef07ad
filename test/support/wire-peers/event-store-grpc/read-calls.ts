import { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb';
import { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb';
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import { type SqliteEventStore } from '../../../../src/adapters/sqlite/sqlite-event-store';
import { type StreamName } from '../../../../src/domain/identifiers';
import { type LoggedRecord, recordsOf, recordsOfAll } from './stored-records';

const { BACKWARDS } = ReadReq.Options.ReadDirection;
/** `created` is in .NET's ticks of 100 ns, counted from 1970 (EventStoreDB, EpochExtensions.ToTicksSinceEpoch). */
const TICKS_PER_MS = 10_000n;

export async function read(store: SqliteEventStore, call: ServerWritableStream<ReadReq, ReadResp>): Promise<void> {
  try {
    const options = call.request.getOptions()!;
    if (options.hasSubscription()) {
      call.emit('error', { code: status.UNIMPLEMENTED, details: 'this peer serves reads, no subscriptions' });
      return;
    }
    const stream = options.getStream();
    const records = stream ? await streamRecords(store, options, stream) : await allRecords(store, options);
    if (records) for (const record of records) call.write(eventResponse(record, stream === undefined));
    else call.write(notFound(stream!.getStreamIdentifier()!));
    call.end();
  } catch (error) {
    call.emit('error', { code: status.INTERNAL, details: String(error) });
  }
}

async function streamRecords(
  store: SqliteEventStore,
  options: ReadReq.Options,
  stream: ReadReq.Options.StreamOptions,
): Promise<readonly LoggedRecord[] | undefined> {
  const name = Buffer.from(stream.getStreamIdentifier()!.getStreamName_asU8()).toString() as StreamName;
  const count = Number(options.getCount());
  if (options.getReadDirection() !== BACKWARDS) {
    const from = stream.hasStart() ? 0 : stream.hasEnd() ? Number.MAX_SAFE_INTEGER : Number(stream.getRevision());
    return recordsOf(store, name, from, count);
  }
  const last = stream.hasEnd() ? Number.MAX_SAFE_INTEGER : stream.hasStart() ? 0 : Number(stream.getRevision());
  const whole = await recordsOf(store, name, 0, Number.MAX_SAFE_INTEGER);
  return whole
    ?.filter(({ revision }) => revision <= last)
    .reverse()
    .slice(0, count);
}

async function allRecords(store: SqliteEventStore, options: ReadReq.Options): Promise<readonly LoggedRecord[]> {
  const all = options.getAll()!;
  const count = Number(options.getCount());
  const takes = filterOf(options.getFilter());
  if (options.getReadDirection() !== BACKWARDS) {
    if (all.hasEnd()) return [];
    return recordsOfAll(store, all.hasStart() ? 0 : Number(all.getPosition()!.getCommitPosition()), count, takes);
  }
  // Backwards, a position is exclusive: the first record is the one before it.
  const before = all.hasEnd()
    ? Number.MAX_SAFE_INTEGER
    : all.hasStart()
      ? 0
      : Number(all.getPosition()!.getCommitPosition());
  const head = Number((await store.head())?.position ?? 0);
  // From the end in growing steps: the newest event of a long log must not cost a walk through all of it.
  for (let size = count; ; size *= 8) {
    const from = Math.max(0, Math.min(head + 1, before) - size);
    const found = (await recordsOfAll(store, from, size + 1, takes)).filter(({ logPosition }) => logPosition < before);
    if (found.length >= count || from === 0) return found.reverse().slice(0, count);
  }
}

function filterOf(filter: ReadReq.Options.FilterOptions | undefined): (record: LoggedRecord) => boolean {
  if (!filter) return () => true;
  const byStream = filter.getStreamIdentifier();
  const expression = byStream ?? filter.getEventType()!;
  const prefixes = expression.getPrefixList();
  const regex = prefixes.length === 0 ? new RegExp(expression.getRegex()) : undefined;
  return ({ stream, type }) => {
    const text = byStream ? stream : type;
    return regex ? regex.test(text) : prefixes.some((prefix) => text.startsWith(prefix));
  };
}

function eventResponse(record: LoggedRecord, fromAll: boolean): ReadResp {
  const position = String(record.logPosition);
  const recorded = new ReadResp.ReadEvent.RecordedEvent()
    .setId(new UUID().setString(record.id))
    .setStreamIdentifier(new StreamIdentifier().setStreamName(Buffer.from(record.stream)))
    .setStreamRevision(String(record.revision))
    .setCommitPosition(position)
    .setPreparePosition(position)
    .setData(record.data)
    .setCustomMetadata(record.customMetadata);
  recorded
    .getMetadataMap()
    .set('type', record.type)
    .set('content-type', record.contentType)
    .set('created', String(BigInt(record.createdMs) * TICKS_PER_MS));
  const event = new ReadResp.ReadEvent().setEvent(recorded);
  if (fromAll) event.setCommitPosition(position);
  return new ReadResp().setEvent(event);
}

const notFound = (identifier: StreamIdentifier): ReadResp =>
  new ReadResp().setStreamNotFound(new ReadResp.StreamNotFound().setStreamIdentifier(identifier));
