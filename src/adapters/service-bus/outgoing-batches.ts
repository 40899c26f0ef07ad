import { type ServiceBusMessage, type ServiceBusMessageBatch, type ServiceBusSender } from '@azure/service-bus';
import { PortFailure } from '../../application/ports/failures';
import { MESSAGE_ID_LENGTH_MAX, type OutgoingMessage } from '../../application/ports/message-bus';
import { invariant } from '../../domain/invariant';
import { toServiceBus } from './message-translation';

/** Premium's link takes 100 MB a message but 1 MB a batch (Microsoft, "Service Bus quotas"). */
const BATCH_BYTES_MAX = 1024 * 1024;

export interface OutgoingBatches {
  /** Each with its messages, for topics that take no batch. */
  readonly batches: readonly {
    readonly batch: ServiceBusMessageBatch;
    readonly messages: readonly ServiceBusMessage[];
  }[];
  readonly scheduled: readonly ServiceBusMessage[];
}

/**
 * Everything is measured by the SDK before anything is sent, so that a refused call has sent nothing. A scheduled
 * message goes alone: the SDK copies the first message's annotations to the envelope of a batch, its time among them.
 */
export async function outgoingBatches(
  sender: ServiceBusSender,
  topic: string,
  messages: readonly OutgoingMessage[],
  messageBytesMax: number | undefined,
): Promise<OutgoingBatches> {
  for (const message of messages) checkId(topic, message.messageId);
  const first = await sender.createMessageBatch();
  const maxSizeInBytes = Math.min(first.maxSizeInBytes, messageBytesMax ?? BATCH_BYTES_MAX);
  const newBatch = (): Promise<ServiceBusMessageBatch> => sender.createMessageBatch({ maxSizeInBytes });

  const batches: { readonly batch: ServiceBusMessageBatch; readonly messages: ServiceBusMessage[] }[] = [];
  const scheduled: ServiceBusMessage[] = [];
  for (const message of messages) {
    const wire = toServiceBus(topic, message);
    if (message.scheduledFor !== undefined) {
      if (!(await newBatch()).tryAddMessage(wire))
        throw tooLarge(topic, message.messageId, `expected at most ${maxSizeInBytes} bytes`);
      scheduled.push(wire);
      continue;
    }
    const open = batches.at(-1);
    if (open?.batch.tryAddMessage(wire) === true) {
      open.messages.push(wire);
      continue;
    }
    const batch = await newBatch();
    if (!batch.tryAddMessage(wire))
      throw tooLarge(topic, message.messageId, `expected at most ${maxSizeInBytes} bytes`);
    batches.push({ batch, messages: [wire] });
  }
  return { batches, scheduled };
}

function checkId(topic: string, messageId: string): void {
  invariant(messageId.length > 0, `a message to topic ${topic} has an empty message id`);
  if (messageId.length <= MESSAGE_ID_LENGTH_MAX) return;
  throw tooLarge(
    topic,
    messageId,
    `its id has ${messageId.length} characters, expected at most ${MESSAGE_ID_LENGTH_MAX}`,
  );
}

function tooLarge(topic: string, messageId: string, why: string): PortFailure {
  const shown = messageId.slice(0, MESSAGE_ID_LENGTH_MAX);
  return new PortFailure(`failed to send message ${shown} to topic ${topic}: ${why}`, {
    code: 'message-too-large',
    retryable: false,
    facts: { topic },
  });
}
