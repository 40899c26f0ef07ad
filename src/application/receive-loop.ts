import { type Clock } from './ports/clock';
import { causeChain, isOutage, type PortFailure } from './ports/failures';
import { type MessageReceiver, type ReceivedMessage } from './ports/message-bus';
import { type Telemetry } from './ports/telemetry';
import { crashPoint } from './crash-point';
import { type Settlement } from './delivery';

export interface ReceiveLoopOptions {
  readonly receiver: MessageReceiver;
  readonly handle: (message: ReceivedMessage, signal: AbortSignal) => Promise<Settlement>;
  readonly concurrentMessages: number;
  readonly lockMs: number;
  readonly idleWaitMaxMs: number;
  /** After this many deliveries a message that breaks its handler is dead-lettered instead of abandoned. */
  readonly breaksMax: number;
  /** At shutdown, how long messages in hand may take to be finished. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

interface LoopInHand extends ReceiveLoopOptions {
  readonly outages: OutageTeller;
}

const IDLE_WAIT_FIRST_MS = 250;
/** While a port fails, a message is held under its renewed lock and tried again: an outage must not spend delivery counts. */
const OUTAGE_RETRIES_MAX = 40;
const OUTAGE_WAIT_FIRST_MS = 100;
const OUTAGE_WAIT_MAX_MS = 15_000;
const OUTAGE_TELL_EVERY_MS = 10_000;
const RECEIVE_FAILURE_WAIT_MS = 1_000;

/**
 * Receives, handles up to `concurrentMessages` at once, renews locks by token at half their time, settles. Memory is
 * bounded by the messages in hand. Ends when the signal aborts and the messages in hand are done or drainMs is over;
 * what is left comes back when its lock expires.
 */
export async function receiveLoop(options: ReceiveLoopOptions): Promise<void> {
  const { receiver, concurrentMessages, signal, clock, telemetry } = options;
  const inHand = new Map<string, ReceivedMessage>();
  const under = new Set<Promise<void>>();
  const drained = new AbortController();
  const loop: LoopInHand = { ...options, outages: new OutageTeller(clock, telemetry) };
  const renewing = renewLocks(options, inHand, drained.signal);
  let slotFreed = (): void => undefined;
  let idleWaitMs = IDLE_WAIT_FIRST_MS;

  while (!signal.aborted) {
    if (under.size >= concurrentMessages) {
      await new Promise<void>((resolve) => (slotFreed = resolve));
      continue;
    }
    try {
      const messages = await receiver.receive({ max: concurrentMessages - under.size, waitMs: idleWaitMs, signal });
      idleWaitMs = messages.length > 0 ? IDLE_WAIT_FIRST_MS : Math.min(options.idleWaitMaxMs, idleWaitMs * 2);
      if (messages.length > 0) crashPoint('receive-loop.after-receive');
      for (const message of messages) {
        inHand.set(message.lockToken, message);
        const task: Promise<void> = handleOne(loop, message, () => inHand.delete(message.lockToken)).finally(() => {
          under.delete(task);
          slotFreed();
        });
        under.add(task);
      }
    } catch (error) {
      telemetry.error('failed to receive messages', error);
      await clock.sleep(RECEIVE_FAILURE_WAIT_MS, signal);
    }
  }
  await Promise.race([Promise.allSettled(under), clock.sleep(options.drainMs, drained.signal)]);
  drained.abort();
  await renewing;
}

/** `settling`: told before it is settled; from then on its lock is not renewed, since both would meet in one commit. */
async function handleOne(options: LoopInHand, message: ReceivedMessage, settling: () => void): Promise<void> {
  const { receiver, telemetry } = options;
  try {
    const settlement = await handleThroughOutages(options, message);
    settling();
    if (settlement.settle === 'complete') {
      crashPoint('receive-loop.before-complete');
      await settle(options, 'complete', () => receiver.complete(message));
      crashPoint('receive-loop.after-complete');
    } else {
      crashPoint('receive-loop.before-dead-letter');
      await settle(options, 'dead-letter', () => receiver.deadLetter(message, settlement));
      crashPoint('receive-loop.after-dead-letter');
    }
  } catch (error) {
    settling();
    telemetry.error('failed to handle a message', error, { messageId: message.messageId, deliveryCount: message.deliveryCount });
    if (isOutage(error) || message.deliveryCount < options.breaksMax) {
      await settle(options, 'abandon', () => receiver.abandon(message));
      return;
    }
    const why = { reason: 'ProcessingBroken', description: causeChain(error).slice(0, 1_000) };
    await settle(options, 'dead-letter', () => receiver.deadLetter(message, why));
  }
}

async function handleThroughOutages(options: LoopInHand, message: ReceivedMessage): Promise<Settlement> {
  for (let retries = 0; ; retries++) {
    try {
      return await options.handle(message, options.signal);
    } catch (error) {
      if (!isOutage(error) || retries >= OUTAGE_RETRIES_MAX || options.signal.aborted) throw error;
      options.telemetry.count('messages.outage-retries');
      options.outages.tell(error, message.messageId);
      const waitMs = error.retryAfterMs ?? Math.min(OUTAGE_WAIT_MAX_MS, OUTAGE_WAIT_FIRST_MS * 2 ** retries);
      await options.clock.sleep(waitMs, options.signal);
    }
  }
}

/** An outage meets every message in hand: it is told once, with its remedy, and then now and again. */
class OutageTeller {
  private readonly toldAt = new Map<string, number>();

  constructor(private readonly clock: Clock, private readonly telemetry: Telemetry) {}

  tell(failure: PortFailure, messageId: string): void {
    const now = this.clock.monotonicMs();
    const before = this.toldAt.get(failure.code);
    if (before !== undefined && now - before < OUTAGE_TELL_EVERY_MS) return;
    this.toldAt.set(failure.code, now);
    this.telemetry.error('a port fails, holding messages under their locks until it works again', failure, { code: failure.code, messageId });
  }
}

/** Settling can fail after success (a lock lost, a link dropped): the history decides what was done, not the broker. */
async function settle(options: ReceiveLoopOptions, kind: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    options.telemetry.count('messages.settled', 1, { kind });
  } catch (error) {
    options.telemetry.count('messages.settle-failed', 1, { kind });
    options.telemetry.warn('failed to settle a message, it will come back', { kind, cause: causeChain(error) });
  }
}

async function renewLocks(options: ReceiveLoopOptions, inHand: Map<string, ReceivedMessage>, ended: AbortSignal): Promise<void> {
  const { clock, receiver, telemetry, lockMs } = options;
  /** When each lock in hand began, by the monotonic clock: the broker's instants are not compared with ours. */
  const heldSince = new WeakMap<ReceivedMessage, number>();
  while (!ended.aborted) {
    await clock.sleep(lockMs / 6, ended);
    const now = clock.monotonicMs();
    for (const message of inHand.values()) if (!heldSince.has(message)) heldSince.set(message, now - lockMs / 6);
    const due = [...inHand.values()].filter((message) => now - heldSince.get(message)! >= lockMs / 2);
    await Promise.all(due.map(async (message) => {
      try {
        await receiver.renewLock(message);
        heldSince.set(message, now);
      } catch (error) {
        // Settled meanwhile: then there was nothing left to renew.
        if (!inHand.has(message.lockToken)) return;
        heldSince.set(message, now);
        telemetry.count('messages.renewal-failed');
        telemetry.warn('failed to renew a lock, another consumer may get the message', { messageId: message.messageId, cause: causeChain(error) });
      }
    }));
  }
}
