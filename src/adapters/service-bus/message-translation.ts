import { type ServiceBusMessage, type ServiceBusReceivedMessage } from '@azure/service-bus';
import { type OutgoingMessage, type PeekedMessage, type ReceivedMessage } from '../../application/ports/message-bus';
import { instantFromMs, msOf } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { messageBody, messageProperties } from '../shared/message-body';

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
    // The SDK is told not to parse: its JSON.parse would round the 64-bit ids of other teams.
    body: messageBody(message.body),
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

/** AMQP knows more kinds of property than our messages do; another team's dates and long integers become text. */
function plainProperties(properties: ServiceBusReceivedMessage['applicationProperties']): PeekedMessage['properties'] {
  const all = Object.entries<unknown>(properties ?? {});
  return messageProperties(Object.fromEntries(all.filter(([name]) => !DEAD_LETTER_PROPERTIES.includes(name))));
}
