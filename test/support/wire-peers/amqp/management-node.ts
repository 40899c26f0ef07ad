import { type Message, message as codec, types } from 'rhea';
import { type MessageSource } from '../../../../src/application/ports/message-bus';
import { msOf, type Instant } from '../../../../src/domain/instant';
import { type Entities } from './entity';
import { tokenOfUuid } from './lock-tokens';
import { type Answer } from './request-node';
import { textOf } from './receiving-client';
import { notSupported } from './wire-errors';
import { peekedWireMessage } from './wire-messages';

/** As the service does, a peek may give fewer messages than asked for; the client asks again. */
const PEEK_PAGE_MAX = 250;
const PEEK_PAGE_BYTES_MAX = 256 * 1024;
const TIMESTAMP_CODE = 0x83;
const NO_CONTENT = 204;

type Operation = (source: MessageSource, body: Record<string, unknown>) => Promise<Answer>;

/** `<entity>/$management`: what Service Bus does by request and answer instead of by link. */
export function managementOf(
  entities: Entities,
  now: () => number,
): (source: MessageSource, request: Message) => Promise<Answer> {
  const operations: Record<string, Operation> = {
    'com.microsoft:renew-lock': async (source, body) => {
      const until: number[] = [];
      for (const token of tokensOf(body)) until.push(msOf((await entities.at(source)!.renew(token)) as Instant));
      return { status: 200, body: { expirations: types.wrap_array(until, TIMESTAMP_CODE, undefined) } };
    },

    'com.microsoft:peek-message': async (source, body) => {
      const max = Math.min(Number(body['message-count']), PEEK_PAGE_MAX);
      const from = integerOf(body['from-sequence-number']);
      const after = from > 0n ? { after: String(from - 1n) } : {};
      const peeked = await entities.bus.peek(source, { max, ...after });
      let bytes = 0;
      const messages: { message: Buffer }[] = [];
      for (const each of peeked) {
        const message = codec.encode(peekedWireMessage(each, now(), body['omit-message-body'] === true));
        bytes += message.length;
        if (messages.length > 0 && bytes > PEEK_PAGE_BYTES_MAX) break;
        messages.push({ message });
      }
      return messages.length === 0 ? { status: NO_CONTENT } : { status: 200, body: { messages } };
    },

    'com.microsoft:update-disposition': async (source, body) => {
      const status = body['disposition-status'];
      if (status === 'defered') return notSupported('deferring');
      for (const token of tokensOf(body)) {
        await entities.at(source)!.settle(token, async (settler, message) => {
          if (status === 'completed') await settler.complete(message);
          else if (status === 'abandoned') await settler.abandon(message);
          else {
            const reason = textOf(body['deadletter-reason']);
            await settler.deadLetter(message, { reason, description: textOf(body['deadletter-description']) });
          }
        });
      }
      return { status: 200 };
    },
  };
  return async (source, { application_properties, body }) => {
    const name = String(application_properties?.['operation']);
    const operation = operations[name];
    return operation === undefined ? notSupported(name) : operation(source, body as Record<string, unknown>);
  };
}

const tokensOf = (body: Record<string, unknown>): readonly string[] =>
  (body['lock-tokens'] as Buffer[]).map(tokenOfUuid);

/** rhea gives a long beyond 2^53 as its eight bytes. */
const integerOf = (value: unknown): bigint =>
  Buffer.isBuffer(value) ? value.readBigInt64BE() : BigInt(Number(value ?? 0));
