import { type ServiceBusMessage, type ServiceBusReceivedMessage } from '@azure/service-bus';
import { type OutgoingMessage, type PeekedMessage, type ReceivedMessage } from '../../application/ports/message-bus';
import { instantFromMs, msOf } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { parseJsonKeepingBigIntegers } from '../shared/big-integers';

/** The service keeps a dead letter's reason and description among the properties; in our words they are none. */
const DEAD_LETTER_PROPERTIES = ['DeadLetterReason', 'DeadLetterErrorDescription'];

export function toServiceBus(topic: string, message: OutgoingMessage): ServiceBusMessage {
  const text = JSON.stringify(message.body) as string | undefined;
  invariant(text !== undefined, `the body of message ${message.messageId} to topic ${topic} is not JSON`);
  return {
    messageId: message.messageId,
    body: Buffer.from(text),
    contentType: 'application/json',
    applicationProperties: { ...message.properties },
    ...(message.correlationId === undefined ? {} : { correlationId: message.correlationId }),
    ...(message.scheduledFor === undefined ? {} : { scheduledEnqueueTimeUtc: new Date(msOf(message.scheduledFor)) }),
  };
}

export function toPeeked(message: ServiceBusReceivedMessage): PeekedMessage {
  return {
    messageId: String(message.messageId ?? ''),
    body: parsedBody(message.body),
    correlationId: message.correlationId === undefined ? undefined : String(message.correlationId),
    properties: plainProperties(message.applicationProperties),
    sequenceNumber: message.sequenceNumber?.toString() ?? '0',
    enqueuedAt: instantFromMs(message.enqueuedTimeUtc?.getTime() ?? 0),
    deliveryCount: message.deliveryCount ?? 0,
    deadLetterReason: message.deadLetterReason,
    deadLetterDescription: message.deadLetterErrorDescription,
  };
}

/** The service counts the deliveries before this one. */
export function toReceived(message: ServiceBusReceivedMessage): ReceivedMessage {
  invariant(message.lockToken !== undefined, `message ${String(message.messageId)} was received without a lock token`);
  return {
    ...toPeeked(message),
    deliveryCount: (message.deliveryCount ?? 0) + 1,
    lockToken: message.lockToken,
    lockedUntil: instantFromMs(message.lockedUntilUtc?.getTime() ?? 0),
  };
}

/** The SDK is told not to parse: its JSON.parse would round the 64-bit ids of other teams. */
function parsedBody(body: unknown): unknown {
  if (!Buffer.isBuffer(body) && typeof body !== 'string') return body;
  const text = body.toString();
  try {
    return parseJsonKeepingBigIntegers(text);
  } catch {
    return text;
  }
}

/** AMQP knows more kinds of property than our messages do; another team's dates and long integers become text. */
function plainProperties(properties: ServiceBusReceivedMessage['applicationProperties']): PeekedMessage['properties'] {
  const plain: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries<unknown>(properties ?? {})) {
    if (DEAD_LETTER_PROPERTIES.includes(name) || value === null || value === undefined) continue;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') plain[name] = value;
    else if (value instanceof Date) plain[name] = value.toISOString();
    else if (Buffer.isBuffer(value) && value.length === 8) plain[name] = value.readBigInt64BE().toString();
    else plain[name] = String(value);
  }
  return plain;
}
