import { type Clock } from '../ports/clock';
import { causeChain, isDamage, passes, PortFailure } from '../ports/failures';
import { type MessageReceiver, type ReceivedMessage } from '../ports/message-bus';
import { type Telemetry } from '../ports/telemetry';
import { type Settlement } from './settlement';

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
/**
 * While a port fails, a message is held under its renewed lock and tried again: an outage must not spend delivery counts,
 * since a broker that counts too many ends the record for what was not its fault. Longer than any outage that is mended.
 */
const HELD_MAX_MS = 24 * 3_600_000;
const OUTAGE_WAIT_FIRST_MS = 100;
const OUTAGE_WAIT_MAX_MS = 15_000;
const OUTAGE_TELL_EVERY_MS = 10_000;
const RECEIVE_FAILURE_WAIT_MS = 1_000;
/** A request of a bus may take a quarter of a lock: begun at a third, it fails in time to be repeated. */
const RENEWALS_PER_LOCK = 3;
const RENEWAL_LOOKS_PER_LOCK = 6;

/**
 * Receives, handles up to `concurrentMessages` at once, renews locks by token at a third of their time, settles. Memory is
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
      await settle(options, 'complete', () => receiver.complete(message));
    } else {
      await settle(options, 'dead-letter', () => receiver.deadLetter(message, settlement));
    }
  } catch (error) {
    settling();
    telemetry.error('failed to handle a message', error, {
      messageId: message.messageId,
      deliveryCount: message.deliveryCount,
    });
    if (isDamage(error)) {
      const why = { reason: 'StorageDamaged', description: error.message.slice(0, 1_000) };
      await settle(options, 'dead-letter', () => receiver.deadLetter(message, why));
      return;
    }
    if (passes(error) || message.deliveryCount < options.breaksMax) {
      await settle(options, 'abandon', () => receiver.abandon(message));
      return;
    }
    const why = { reason: 'ProcessingBroken', description: causeChain(error).slice(0, 1_000) };
    await settle(options, 'dead-letter', () => receiver.deadLetter(message, why));
  }
}

async function handleThroughOutages(options: LoopInHand, message: ReceivedMessage): Promise<Settlement> {
  const since = options.clock.monotonicMs();
  for (let retries = 0; ; retries++) {
    try {
      return await options.handle(message, options.signal);
    } catch (error) {
      const heldTooLong = options.clock.monotonicMs() - since >= HELD_MAX_MS;
      if (!passes(error) || heldTooLong || options.signal.aborted) throw error;
      const failure = error instanceof PortFailure ? error : undefined;
      options.telemetry.count(failure ? 'messages.outage-retries' : 'messages.conflict-retries');
      if (failure) options.outages.tell(failure, message.messageId);
      const waitMs = failure?.retryAfterMs ?? Math.min(OUTAGE_WAIT_MAX_MS, OUTAGE_WAIT_FIRST_MS * 2 ** retries);
      await options.clock.sleep(waitMs, options.signal);
    }
  }
}

/** An outage meets every message in hand: it is told once, with its remedy, and then now and again. */
class OutageTeller {
  private readonly toldAt = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {}

  tell(failure: PortFailure, messageId: string): void {
    const now = this.clock.monotonicMs();
    const before = this.toldAt.get(failure.code);
    if (before !== undefined && now - before < OUTAGE_TELL_EVERY_MS) return;
    this.toldAt.set(failure.code, now);
    this.telemetry.error('a port fails, holding messages under their locks until it works again', failure, {
      code: failure.code,
      messageId,
    });
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

/**
 * Renews what is in hand for a third of its lock, so that a renewal that fails can be repeated while the lock holds.
 * Each stands alone: one that is not answered holds up no other.
 */
async function renewLocks(
  options: ReceiveLoopOptions,
  inHand: Map<string, ReceivedMessage>,
  ended: AbortSignal,
): Promise<void> {
  const { clock, receiver, telemetry, lockMs } = options;
  /** When each lock in hand began, by the monotonic clock: the broker's instants are not compared with ours. */
  const heldSince = new WeakMap<ReceivedMessage, number>();
  const underWay = new Set<ReceivedMessage>();
  const renew = async (message: ReceivedMessage, now: number): Promise<void> => {
    underWay.add(message);
    try {
      await receiver.renewLock(message);
      heldSince.set(message, now);
    } catch (error) {
      // Settled meanwhile: then there was nothing left to renew.
      if (!inHand.has(message.lockToken)) return;
      // A lost lock stays lost; whatever else failed is repeated at the next look.
      if (error instanceof PortFailure && error.code === 'lock-lost') heldSince.set(message, Infinity);
      telemetry.count('messages.renewal-failed');
      telemetry.warn('failed to renew a lock, another consumer may get the message', {
        messageId: message.messageId,
        cause: causeChain(error),
      });
    } finally {
      underWay.delete(message);
    }
  };
  while (!ended.aborted) {
    await clock.sleep(lockMs / RENEWAL_LOOKS_PER_LOCK, ended);
    const now = clock.monotonicMs();
    for (const message of inHand.values()) {
      const since = heldSince.get(message) ?? now - lockMs / RENEWAL_LOOKS_PER_LOCK;
      heldSince.set(message, since);
      if (now - since >= lockMs / RENEWALS_PER_LOCK && !underWay.has(message)) void renew(message, now);
    }
  }
}
