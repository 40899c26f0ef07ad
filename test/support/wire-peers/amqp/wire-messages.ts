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

/** And bytes that are no UTF-8 as bytes. */
interface KeptBytes {
  readonly $base64: string;
}

/** Of the embedded bus' messages: what AMQP keeps beside the properties, as JSON under one name that nobody else uses. */
const KEPT_FIELDS = '$amqp';

/** rhea's names of what Service Bus calls ContentType, Subject, ReplyTo, ReplyToSessionId, To and TimeToLive. */
interface KeptFields {
  readonly content_type?: string;
  readonly subject?: string;
  readonly reply_to?: string;
  readonly reply_to_group_id?: string;
  readonly to?: string;
  readonly ttl?: number;
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
    body: keptBody(contentOf(message.body)),
    ...(message.correlation_id === undefined ? {} : { correlationId: String(message.correlation_id) }),
    properties: {
      ...(message.application_properties as OutgoingMessage['properties'] | undefined),
      [KEPT_FIELDS]: JSON.stringify(keptFields(message)),
    },
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
  const { [KEPT_FIELDS]: kept, ...properties } = message.properties;
  return {
    ...fieldsOf(kept),
    message_id: message.messageId,
    ...(message.correlationId === undefined ? {} : { correlation_id: message.correlationId }),
    delivery_count: extra.deliveryCount,
    application_properties: {
      ...properties,
      ...(deadLetterReason === undefined ? {} : { DeadLetterReason: deadLetterReason }),
      ...(deadLetterDescription === undefined ? {} : { DeadLetterErrorDescription: deadLetterDescription }),
    },
    message_annotations: {
      'x-opt-sequence-number': types.wrap_long(Number(message.sequenceNumber)),
      'x-opt-enqueued-time': types.wrap_timestamp(msOf(message.enqueuedAt)),
      ...extra.annotations,
    },
    body: codec.data_section(bytesOfKept(message.body)),
  };
}

/** What a client changed by settling; its reason for a dead letter is none of them. */
export function changedProperties(info: unknown): OutgoingMessage['properties'] {
  const {
    DeadLetterReason: _reason,
    DeadLetterErrorDescription: _description,
    ...changed
  } = (info ?? {}) as Record<string, string | number | boolean>;
  return changed;
}

/** Longer in its subscription than its sender's time to live: Service Bus hands it out no more. */
export const hasExpired = ({ properties, enqueuedAt }: PeekedMessage, now: number): boolean =>
  now > msOf(enqueuedAt) + (fieldsOf(properties[KEPT_FIELDS]).ttl ?? Infinity);

function keptFields({ content_type, subject, reply_to, reply_to_group_id, to, ttl }: Message): KeptFields {
  return JSON.parse(JSON.stringify({ content_type, subject, reply_to, reply_to_group_id, to, ttl })) as KeptFields;
}

const fieldsOf = (kept: unknown): KeptFields => (typeof kept === 'string' ? (JSON.parse(kept) as KeptFields) : {});

function contentOf(body: unknown): string | Buffer {
  const content = (body as Section | undefined)?.typecode === undefined ? body : (body as Section).content;
  return typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content ?? '');
}

function keptBody(content: string | Buffer): unknown {
  const text = content.toString();
  if (Buffer.isBuffer(content) && !content.equals(Buffer.from(text)))
    return { $base64: content.toString('base64') } satisfies KeptBytes;
  try {
    const parsed: unknown = JSON.parse(text);
    return JSON.stringify(parsed) === text && !isKeptText(parsed) ? parsed : { $text: text };
  } catch {
    return { $text: text };
  }
}

function bytesOfKept(body: unknown): Buffer {
  const bytes = (body as Partial<KeptBytes> | null)?.$base64;
  if (typeof bytes === 'string') return Buffer.from(bytes, 'base64');
  return Buffer.from(isKeptText(body) ? body.$text : JSON.stringify(body));
}

const isKeptText = (body: unknown): body is KeptText =>
  typeof body === 'object' && body !== null && typeof (body as Partial<KeptText>).$text === 'string';
