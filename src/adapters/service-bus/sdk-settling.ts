import { type ServiceBusReceivedMessage } from '@azure/service-bus';

/*
 * How the SDK settles rests on internals of 7.9.5 (and its rhea 3.0.5), which tests pin: on the link that brought the
 * message, or, where the message has no delivery, by its lock token through $management. The link fails us twice:
 *
 * - Two deliveries that stand side by side and are settled in one turn go out as one range with the outcome of the first
 *   (rhea, write_dispositions): a message to be abandoned or dead-lettered beside one that is complete would be gone.
 *   So only `complete` goes over the link.
 * - A link is closed where a drain takes over 200 ms. What it had brought is then settled on the dead link once another
 *   of its name is open: nothing is sent, and the caller waits until it times out.
 */
export const linkIsClosed = (message: ServiceBusReceivedMessage): boolean =>
  (message as { delivery?: { link?: { is_closed?(): boolean } } }).delivery?.link?.is_closed?.() === true;

export const byLockToken = (message: ServiceBusReceivedMessage): ServiceBusReceivedMessage =>
  Object.create(message, { delivery: { value: {} } }) as ServiceBusReceivedMessage;
