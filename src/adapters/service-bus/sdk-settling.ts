import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { type ServiceBusReceivedMessage } from '@azure/service-bus';
import { LOST_WHILE_WAITING } from './sdk-guard';

const REPEATS_MAX = 3;

/*
 * How the SDK settles rests on internals of 7.9.5 (and its rhea 3.0.5), which tests pin: on the link that brought the
 * message, or, where the message has no delivery, by its lock token through $management.
 */

/**
 * Settles on the link that brought the message, and by lock token through $management where that link has gone or goes
 * before it answers. A link goes where a drain takes over 200 ms, where the service detaches it and with its
 * connection; what is settled on a dead link is never sent, and the SDK would wait for its answer until it times out.
 * Not always by lock token: on an open link the delivery would never be settled, and rhea frees its window of 2,048
 * from the oldest. `settle` and `settleByToken` may both take effect, which is harmless: the second finds no lock.
 */
export async function settleWherePossible(
  message: ServiceBusReceivedMessage,
  settle: (message: ServiceBusReceivedMessage) => Promise<void>,
  settleByToken: (message: ServiceBusReceivedMessage) => Promise<void>,
): Promise<void> {
  const { delivery } = message as { delivery?: { link?: SdkLink } };
  const link = delivery?.link;
  const byToken = (): Promise<void> => throughLostConnections(() => settleByToken(byLockToken(message)));
  if (link === undefined || link.is_closed() || !link.connection.is_open()) return byToken();
  let gone: () => void = () => undefined;
  const linkGone = new Promise<'gone'>((resolve) => (gone = () => resolve('gone')));
  const watchers = [watchersOf(link, 'receiver_close'), watchersOf(link.connection, 'disconnected')];
  for (const each of watchers) each.add(gone);
  const answer = settle(message);
  try {
    if ((await Promise.race([answer, linkGone])) !== 'gone') return;
  } finally {
    for (const each of watchers) each.delete(gone);
  }
  answer.catch(() => undefined);
  return byToken();
}

/** A connection that breaks again meets every settling on its way: each goes once more, within the limit of its request. */
async function throughLostConnections(settle: () => Promise<void>): Promise<void> {
  for (let repeats = 0; ; repeats++) {
    try {
      return await settle();
    } catch (error) {
      const wasLost = error instanceof Error && error.message.includes(LOST_WHILE_WAITING);
      if (!wasLost || repeats >= REPEATS_MAX) throw error;
    }
  }
}

/** rhea's, as far as it is looked at here. */
interface SdkEmitter {
  on(event: string, listener: () => void): void;
}

interface SdkLink extends SdkEmitter {
  is_closed(): boolean;
  readonly connection: SdkEmitter & { is_open(): boolean };
}

const WATCHERS = new WeakMap<SdkEmitter, Set<() => void>>();

/** One listener per link and per connection, however many messages are settled at once. */
function watchersOf(emitter: SdkEmitter, event: string): Set<() => void> {
  const known = WATCHERS.get(emitter);
  if (known !== undefined) return known;
  const watchers = new Set<() => void>();
  WATCHERS.set(emitter, watchers);
  emitter.on(event, () => {
    for (const gone of [...watchers]) gone();
  });
  return watchers;
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
