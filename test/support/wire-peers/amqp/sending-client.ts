import { type EventContext, type Message, type Receiver } from 'rhea';
import { type MessageBus } from '../../../../src/application/ports/message-bus';
import { type Fault, SERVICE_ERRORS } from './planned-faults';
import { wireError } from './wire-errors';
import { BATCH_FORMAT, messagesOfBatch, outgoingMessage } from './wire-messages';

export interface SendingRules {
  readonly bus: MessageBus;
  readonly topic: string;
  /** Partitioned and detecting duplicates: a send must be of one message. */
  readonly refusesBatch: () => boolean;
  readonly nextFault: () => Fault | undefined;
  readonly forceClose: () => void;
}

/** A client sends on this link: each transfer is one call of the bus, acknowledged after its commit. */
export function takeFromSendingClient(link: Receiver, rules: SendingRules): void {
  const { bus, topic, refusesBatch, nextFault, forceClose } = rules;
  link.on('message', (context: EventContext) => {
    const { delivery, message } = context;
    const isBatch = (context as unknown as { format?: number }).format === BATCH_FORMAT;
    if (isBatch && refusesBatch()) return delivery?.reject(SERVICE_ERRORS.notAllowed);
    const fault = nextFault();
    if (typeof fault === 'object') return delivery?.reject(fault);
    const messages = isBatch ? messagesOfBatch(message as unknown as Buffer) : [message as Message];
    bus.send(topic, messages.map(outgoingMessage)).then(
      () => {
        if (fault === 'force-close') forceClose();
        else if (fault === undefined) delivery?.accept();
      },
      (failure: unknown) => delivery?.reject(wireError(failure)),
    );
    return undefined;
  });
}
