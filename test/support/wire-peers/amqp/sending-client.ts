import { type EventContext, type Message, type Receiver } from 'rhea';
import { type MessageBus } from '../../../../src/application/ports/message-bus';
import { wireError } from './wire-errors';
import { BATCH_FORMAT, messagesOfBatch, outgoingMessage } from './wire-messages';

/** A client sends on this link: each transfer is one call of the bus, acknowledged after its commit. */
export function takeFromSendingClient(link: Receiver, bus: MessageBus, topic: string): void {
  link.on('message', (context: EventContext) => {
    const { delivery, message } = context;
    const isBatch = (context as unknown as { format?: number }).format === BATCH_FORMAT;
    const messages = isBatch ? messagesOfBatch(message as unknown as Buffer) : [message as Message];
    bus.send(topic, messages.map(outgoingMessage)).then(
      () => delivery?.accept(),
      (failure: unknown) => delivery?.reject(wireError(failure)),
    );
  });
}
