import { type MessageBus, type MessageSource, type ReceivedMessage } from '../ports/message-bus';

const RECEIVE_WAIT_MS = 500;
const RECEIVE_BATCH_MAX = 100;

/**
 * Takes messages in hand one after the other, at most `max`, and asks `deal` about each. What it is done with is taken
 * away; the rest goes back at the end, also where something failed: the order can be repeated at once, not only when the
 * locks have lapsed, and no message is met twice in one order.
 */
export async function workOff<Result>(
  bus: MessageBus,
  source: MessageSource,
  max: number,
  deal: (message: ReceivedMessage) => Promise<{ readonly result: Result; readonly done: boolean }>,
): Promise<readonly Result[]> {
  const receiver = bus.receiver(source);
  const results: Result[] = [];
  const left = new Set<ReceivedMessage>();
  try {
    while (results.length < max) {
      const batch = await receiver.receive({
        max: Math.min(RECEIVE_BATCH_MAX, max - results.length),
        waitMs: RECEIVE_WAIT_MS,
      });
      if (batch.length === 0) break;
      for (const message of batch) left.add(message);
      for (const message of batch) {
        const { result, done } = await deal(message);
        if (done) {
          await receiver.complete(message);
          left.delete(message);
        }
        results.push(result);
      }
    }
  } finally {
    await Promise.allSettled([...left].map((message) => receiver.abandon(message)));
    await receiver.close();
  }
  return results;
}
