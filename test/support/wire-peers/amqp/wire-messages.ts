import { randomUUID } from 'node:crypto';
import { type Message, message as codec, types } from 'rhea';
import {
  type OutgoingMessage,
  type PeekedMessage,
  type ReceivedMessage,
} from '../../../../src/application/ports/message-bus';
import { instantFromMs, msOf } from '../../../../src/domain/instant';

/** Message format of a transfer that holds many messages, each one a data section. */
export const BATCH_FORMAT = 0x80013700;
const STATE_ACTIVE = 0;

/** A body that is not JSON exactly as JSON.stringify writes it travels as text, so that it comes out byte for byte. */
interface KeptText {
  readonly $text: string;
}

interface Section {
  readonly typecode: number;
  readonly content: unknown;
  readonly multiple?: boolean;
}

export function messagesOfBatch(encoded: Buffer): readonly Message[] {
  const { content, multiple } = codec.decode(encoded).body as Section;
  return (multiple === true ? (content as Buffer[]) : [content as Buffer]).map(
    (each) => codec.decode(each) as unknown as Message,
  );
}

export function outgoingMessage(message: Message): OutgoingMessage {
  const scheduledFor = message.message_annotations?.['x-opt-scheduled-enqueue-time'] as Date | undefined;
  return {
    messageId: message.message_id === undefined ? randomUUID() : String(message.message_id),
    body: keptBody(textOfBody(message.body)),
    ...(message.correlation_id === undefined ? {} : { correlationId: String(message.correlation_id) }),
    properties: (message.application_properties ?? {}) as OutgoingMessage['properties'],
    ...(scheduledFor === undefined ? {} : { scheduledFor: instantFromMs(new Date(scheduledFor).getTime()) }),
  };
}

/** header.delivery-count is how often delivery was tried before: for a received message, one less than ours. */
export function receivedWireMessage(message: ReceivedMessage): Message {
  return wireMessage(message, {
    deliveryCount: message.deliveryCount - 1,
    annotations: { 'x-opt-locked-until': types.wrap_timestamp(msOf(message.lockedUntil)) },
  });
}

export function peekedWireMessage(message: PeekedMessage, omitBody: boolean): Message {
  const wire = wireMessage(message, {
    deliveryCount: message.deliveryCount,
    annotations: { 'x-opt-message-state': types.wrap_int(STATE_ACTIVE) },
  });
  return omitBody ? { ...wire, body: codec.data_section(Buffer.alloc(0)) } : wire;
}

function wireMessage(
  message: PeekedMessage,
  extra: { readonly deliveryCount: number; readonly annotations: Record<string, unknown> },
): Message {
  const { deadLetterReason, deadLetterDescription } = message;
  return {
    message_id: message.messageId,
    ...(message.correlationId === undefined ? {} : { correlation_id: message.correlationId }),
    delivery_count: extra.deliveryCount,
    application_properties: {
      ...message.properties,
      ...(deadLetterReason === undefined ? {} : { DeadLetterReason: deadLetterReason }),
      ...(deadLetterDescription === undefined ? {} : { DeadLetterErrorDescription: deadLetterDescription }),
    },
    message_annotations: {
      'x-opt-sequence-number': types.wrap_long(Number(message.sequenceNumber)),
      'x-opt-enqueued-time': types.wrap_timestamp(msOf(message.enqueuedAt)),
      ...extra.annotations,
    },
    body: codec.data_section(Buffer.from(textOfKept(message.body))),
  };
}

function textOfBody(body: unknown): string {
  const content = (body as Section | undefined)?.typecode === undefined ? body : (body as Section).content;
  if (Buffer.isBuffer(content)) return content.toString('utf8');
  return typeof content === 'string' ? content : JSON.stringify(content ?? '');
}

function keptBody(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return JSON.stringify(parsed) === text && !isKeptText(parsed) ? parsed : { $text: text };
  } catch {
    return { $text: text };
  }
}

const textOfKept = (body: unknown): string => (isKeptText(body) ? body.$text : JSON.stringify(body));

const isKeptText = (body: unknown): body is KeptText =>
  typeof body === 'object' && body !== null && typeof (body as Partial<KeptText>).$text === 'string';
