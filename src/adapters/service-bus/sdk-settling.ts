import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { type ServiceBusReceivedMessage } from '@azure/service-bus';

/*
 * How the SDK settles rests on internals of 7.9.5 (and its rhea 3.0.5), which tests pin: on the link that brought the
 * message, or, where the message has no delivery, by its lock token through $management.
 */

/**
 * A link is closed where a drain takes over 200 ms. What it had brought is then settled on the dead link once another of
 * its name is open: nothing is sent, and the caller waits until it times out. So such a message goes by its lock token.
 * Only such a one: on an open link its delivery would never be settled, and rhea frees its window of 2,048 from the oldest.
 */
export function settleable(message: ServiceBusReceivedMessage): ServiceBusReceivedMessage {
  const { delivery } = message as { delivery?: { link?: { is_closed?(): boolean } } };
  return delivery?.link?.is_closed?.() === true ? byLockToken(message) : message;
}

export const byLockToken = (message: ServiceBusReceivedMessage): ServiceBusReceivedMessage =>
  Object.create(message, { delivery: { value: {} } }) as ServiceBusReceivedMessage;

/**
 * rhea (write_dispositions) sends two deliveries that stand side by side and are settled in one turn of the event loop
 * as one range with the outcome of the first: a message to be abandoned or dead-lettered beside one that is complete
 * would be gone. So each of those has a turn to itself, and only completes share one.
 */
export class SettlingTurns {
  private lastAlone: Promise<void> = Promise.resolve();

  async shared<T>(settle: () => Promise<T>): Promise<T> {
    await this.lastAlone;
    return settle();
  }

  async alone<T>(settle: () => Promise<T>): Promise<T> {
    const sent = this.lastAlone.then(async () => {
      await turnOfTheLoop();
      const answer = settle();
      answer.catch(() => undefined);
      await turnOfTheLoop();
      return { answer };
    });
    // One that fails to be sent must not stop those after it.
    this.lastAlone = sent.then(
      () => undefined,
      () => undefined,
    );
    return (await sent).answer;
  }
}
