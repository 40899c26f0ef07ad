import { type Message, message as codec, types } from 'rhea';
import { type MessageBus, type MessageSource, type PeekedMessage } from '../../../../src/application/ports/message-bus';
import { msOf, type Instant } from '../../../../src/domain/instant';
import { type Entities } from './entity';
import { tokenOfUuid } from './lock-tokens';
import { type Answer } from './request-node';
import { textOf } from './receiving-client';
import { type ScheduledMessages } from './scheduled-messages';
import { notSupported } from './wire-errors';
import { changedProperties, hasExpired, outgoingMessage, peekedWireMessage } from './wire-messages';

/** As the service does, a peek may give fewer messages than asked for; the client asks again. */
const PEEK_PAGE_MAX = 250;
const PEEK_PAGE_BYTES_MAX = 256 * 1024;
const TIMESTAMP_CODE = 0x83;
const LONG_CODE = 0x81;
const NO_CONTENT = 204;

type Operation = (source: MessageSource, body: Record<string, unknown>) => Promise<Answer>;

/** `<subscription>/$management`: what Service Bus does by request and answer instead of by link. */
export function managementOf(
  entities: Entities,
  now: () => number,
): (source: MessageSource, request: Message) => Promise<Answer> {
  /**
   * A scheduled message waits in its topic and is no subscription's before its time, so a peek shows none (Microsoft,
   * "Message browsing": scheduled messages: yes for queues, no for subscriptions).
   */
  const standing = async (source: MessageSource, from: bigint, max: number): Promise<readonly PeekedMessage[]> => {
    const found: PeekedMessage[] = [];
    for (let after = from > 0n ? String(from - 1n) : '0'; found.length < max;) {
      const page = await entities.bus.peek(source, { after, max: PEEK_PAGE_MAX });
      if (page.length === 0) break;
      found.push(...page.filter((each) => msOf(each.enqueuedAt) <= now() && !hasExpired(each, now())));
      after = page.at(-1)!.sequenceNumber;
    }
    return found.slice(0, max);
  };
  const operations: Record<string, Operation> = {
    'com.microsoft:renew-lock': async (source, body) => {
      const until: number[] = [];
      for (const token of tokensOf(body)) until.push(msOf((await entities.at(source)!.renew(token)) as Instant));
      return { status: 200, body: { expirations: types.wrap_array(until, TIMESTAMP_CODE, undefined) } };
    },

    'com.microsoft:peek-message': async (source, body) => {
      const from = integerOf(body['from-sequence-number']);
      const peeked = await standing(source, from, Math.min(Number(body['message-count']), PEEK_PAGE_MAX));
      let bytes = 0;
      const messages: { message: Buffer }[] = [];
      for (const each of peeked) {
        const message = codec.encode(
          peekedWireMessage(entities.at(source)!.withModified(each), body['omit-message-body'] === true),
        );
        bytes += message.length;
        if (messages.length > 0 && bytes > PEEK_PAGE_BYTES_MAX) break;
        messages.push({ message });
      }
      return messages.length === 0 ? { status: NO_CONTENT } : { status: 200, body: { messages } };
    },

    'com.microsoft:update-disposition': async (source, body) => {
      const status = body['disposition-status'];
      if (status === 'defered') return notSupported('deferring');
      const entity = entities.at(source)!;
      for (const token of tokensOf(body)) {
        await entity.settle(token, async (settler, message) => {
          entity.modify(message.messageId, changedProperties(body['properties-to-modify']));
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

/** `<topic>/$management`: messages for later, each answered with its number, and their cancelling by it. */
export function topicManagementOf(
  bus: MessageBus,
  topic: string,
  scheduled: ScheduledMessages,
  now: () => number,
): (request: Message) => Promise<Answer> {
  return async ({ application_properties, body }) => {
    const name = String(application_properties?.['operation']);
    if (name === 'com.microsoft:schedule-message') {
      const { messages } = body as { messages: readonly { readonly message: Buffer }[] };
      const outgoing = messages.map(({ message }) => outgoingMessage(codec.decode(message) as unknown as Message));
      await bus.send(topic, outgoing);
      const numbers = outgoing.map(({ messageId }) => scheduled.numberOf(topic, messageId));
      if (numbers.includes(undefined)) return notSupported('scheduling what no subscription takes');
      return { status: 200, body: { 'sequence-numbers': types.wrap_array(numbers, LONG_CODE, undefined) } };
    }
    if (name === 'com.microsoft:cancel-scheduled-message') {
      const { 'sequence-numbers': numbers } = body as { 'sequence-numbers': readonly unknown[] };
      scheduled.cancel(topic, numbers.map(integerOf), now());
      return { status: 200 };
    }
    return notSupported(name);
  };
}

const tokensOf = (body: Record<string, unknown>): readonly string[] =>
  (body['lock-tokens'] as Buffer[]).map(tokenOfUuid);

/** rhea gives a long beyond 2^53 as its eight bytes. */
const integerOf = (value: unknown): bigint =>
  Buffer.isBuffer(value) ? value.readBigInt64BE() : BigInt(Number(value ?? 0));
