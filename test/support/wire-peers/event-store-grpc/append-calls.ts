import { Empty } from '@eventstore/db-client/generated/shared_pb';
import { AppendResp, type AppendReq } from '@eventstore/db-client/generated/streams_pb';
import { type sendUnaryData, type ServerReadableStream, status } from '@grpc/grpc-js';
import { type ExpectedRevision } from '../../../../src/application/ports/event-store';
import { VersionConflict } from '../../../../src/application/ports/failures';
import { type SqliteEventStore } from '../../../../src/adapters/sqlite/sqlite-event-store';
import { type StreamName } from '../../../../src/domain/identifiers';
import { exception } from './exceptions';
import { asEmbedded, recordsOf, type WireRecord } from './stored-records';

/** EventStoreDB's default for the bytes of one append. */
const APPEND_BYTES_MAX = 1_048_576;

export function append(
  store: SqliteEventStore,
  call: ServerReadableStream<AppendReq, AppendResp>,
  answer: sendUnaryData<AppendResp>,
): void {
  let options: AppendReq.Options | undefined;
  const records: WireRecord[] = [];
  let bytes = 0;
  call.on('data', (request: AppendReq) => {
    options = request.getOptions() ?? options;
    const message = request.getProposedMessage();
    if (!message) return;
    const data = message.getData_asU8();
    bytes += data.length + message.getCustomMetadata_asU8().length;
    records.push({
      id: message.getId()!.getString(),
      type: message.getMetadataMap().get('type') ?? '',
      contentType: message.getMetadataMap().get('content-type') ?? '',
      data: Buffer.from(data).toString('base64'),
      customMetadata: Buffer.from(message.getCustomMetadata_asU8()).toString('base64'),
      createdMs: Date.now(),
    });
  });
  call.on('end', () => {
    if (bytes > APPEND_BYTES_MAX)
      return answer(exception('maximum-append-size-exceeded', 'maximum-append-size', String(APPEND_BYTES_MAX)));
    decide(store, options!, records).then(
      (response) => answer(null, response),
      (error: unknown) => answer({ code: status.INTERNAL, details: String(error) }),
    );
  });
  call.on('error', () => undefined);
}

async function decide(
  store: SqliteEventStore,
  options: AppendReq.Options,
  records: readonly WireRecord[],
): Promise<AppendResp> {
  const stream = Buffer.from(options.getStreamIdentifier()!.getStreamName_asU8()).toString() as StreamName;
  if (!options.hasNoStream() && !options.hasRevision()) throw new Error('this peer takes explicit revisions only');
  const expected: ExpectedRevision = options.hasNoStream() ? 'new' : Number(options.getRevision());
  try {
    const { revision } = await store.append(stream, expected, records.map(asEmbedded));
    return success(revision);
  } catch (error) {
    if (!(error instanceof VersionConflict)) throw error;
    const repeated = await repeats(store, stream, expected, records);
    return repeated === undefined ? wrongExpectedVersion(expected, error.actual) : success(repeated);
  }
}

/**
 * As EventStoreDB's IndexWriter.CheckCommit judges an append below the newest revision: event by event, ids at their
 * revisions and nothing else. The last revision where all stand there, else undefined.
 */
async function repeats(
  store: SqliteEventStore,
  stream: StreamName,
  expected: ExpectedRevision,
  records: readonly WireRecord[],
): Promise<number | undefined> {
  const first = expected === 'new' ? 0 : expected + 1;
  const stored = (await recordsOf(store, stream, first, records.length)) ?? [];
  return records.every(({ id }, index) => stored[index]?.id === id) ? first + records.length - 1 : undefined;
}

const success = (revision: number): AppendResp =>
  new AppendResp().setSuccess(new AppendResp.Success().setCurrentRevision(String(revision)).setNoPosition(new Empty()));

function wrongExpectedVersion(expected: ExpectedRevision, actual: ExpectedRevision): AppendResp {
  const wrong = new AppendResp.WrongExpectedVersion();
  if (actual === 'new') wrong.setCurrentNoStream(new Empty());
  else wrong.setCurrentRevision(String(actual));
  if (expected === 'new') wrong.setExpectedNoStream(new Empty());
  else wrong.setExpectedRevision(String(expected));
  return new AppendResp().setWrongExpectedVersion(wrong);
}
