import { type ServiceBusReceivedMessage, type ServiceBusReceiver } from '@azure/service-bus';
import { PortFailure } from '../../application/ports/failures';
import { MESSAGES_PER_CALL_MAX, type MessageReceiver, type ReceivedMessage } from '../../application/ports/message-bus';
import { instantFromMs, type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { toReceived } from './message-translation';
import { aborted, MessagePull, type PullParts } from './message-pull';
import { within } from './sdk-guard';
import { byLockToken, SettlingTurns, settleWherePossible } from './sdk-settling';
import { nameOf } from './service-bus-connection';

/**
 * A wait is cut into looks of at most this: aborting or closing leaves one look under way and no longer. Not shorter,
 * since each ends with a drain, and an answer to it that takes over 200 ms costs the link (azure-sdk-for-js 28023).
 */
const LOOK_MS = 5_000;
const CLOSE_LOOK_MAX_MS = LOOK_MS + 2_000;
/**
 * After the first message, how long the rest of a batch may take. The SDK's own wait is a whole second; none at all
 * would drain while messages are on their way.
 */
const FILL_MS = 20;

type Pulled = readonly ServiceBusReceivedMessage[];

interface Held {
  readonly sdk: ServiceBusReceivedMessage;
  /** Settling one delivery twice at once would make the SDK lose the first answer: one after the other. */
  tail: Promise<unknown>;
}

/**
 * open → closed. A link fetches only what was asked for (no prefetch: a lock's clock starts when the broker hands the
 * message out). A look that outlives its receive, because the signal aborted, is taken over by the next receive; what
 * it brings while nobody waits is abandoned.
 */
export class ServiceBusMessageReceiver implements MessageReceiver {
  private readonly closing = new AbortController();
  private readonly pull: MessagePull;
  private readonly held = new WeakMap<ReceivedMessage, Held>();
  private readonly turns = new SettlingTurns();
  private turn: Promise<unknown> = Promise.resolve();
  private leftLook: Promise<Pulled> | undefined;

  constructor(private readonly parts: PullParts & { readonly onClose: () => void }) {
    this.pull = new MessagePull(parts);
  }

  async receive(options: {
    readonly max: number;
    readonly waitMs: number;
    readonly signal?: AbortSignal;
  }): Promise<readonly ReceivedMessage[]> {
    const { max } = options;
    invariant(
      Number.isSafeInteger(max) && max >= 1 && max <= MESSAGES_PER_CALL_MAX,
      `a receive takes 1 to ${MESSAGES_PER_CALL_MAX} messages, got ${max}`,
    );
    this.checkOpen('receive from');
    // A link serves one receive at a time.
    const mine = this.turn.then(() => this.receiveInTurn(options));
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  complete(message: ReceivedMessage): Promise<void> {
    return this.settle('complete', message, 'shared', (receiver, sdk) => receiver.completeMessage(sdk));
  }

  abandon(message: ReceivedMessage): Promise<void> {
    return this.settle('abandon', message, 'alone', (receiver, sdk) => receiver.abandonMessage(sdk));
  }

  deadLetter(message: ReceivedMessage, why: { readonly reason: string; readonly description: string }): Promise<void> {
    const options = { deadLetterReason: why.reason, deadLetterErrorDescription: why.description };
    return this.settle('dead-letter', message, 'alone', (receiver, sdk) => receiver.deadLetterMessage(sdk, options));
  }

  /**
   * By lock token, through $management: it works whichever link brought the message, waits for no settling and holds up
   * none.
   */
  renewLock(message: ReceivedMessage): Promise<Instant> {
    const { sdk } = this.heldOf(message);
    return this.parts.connection.request(this.requestOf('renew the lock of', message), async () =>
      instantFromMs((await this.pull.current().renewMessageLock(byLockToken(sdk))).getTime()),
    );
  }

  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    this.closing.abort();
    this.parts.onClose();
    await this.turn;
    if (this.leftLook !== undefined)
      await within(
        CLOSE_LOOK_MAX_MS,
        this.leftLook.catch(() => undefined),
      );
    await this.pull.close();
  }

  private async receiveInTurn({
    max,
    waitMs,
    signal,
  }: {
    max: number;
    waitMs: number;
    signal?: AbortSignal;
  }): Promise<readonly ReceivedMessage[]> {
    const { clock } = this.parts;
    const deadline = clock.monotonicMs() + waitMs;
    for (;;) {
      if (signal?.aborted === true || this.closing.signal.aborted) return [];
      const remainingMs = Math.max(0, deadline - clock.monotonicMs());
      const first = await this.look(Math.min(remainingMs, LOOK_MS), signal);
      if (first.length > 0) return this.hold([...first, ...(await this.fill(max - first.length))]);
      if (clock.monotonicMs() >= deadline) return [];
    }
  }

  /** The first message, or none after `waitMs`; none at once when the signal aborts. */
  private async look(waitMs: number, signal: AbortSignal | undefined): Promise<Pulled> {
    const look = this.leftLook ?? this.pull.pull(1, waitMs);
    this.leftLook = undefined;
    const stopped = new AbortController();
    const signals = [this.closing.signal, ...(signal === undefined ? [] : [signal])];
    const abort = Promise.race(signals.map((each) => aborted(each, stopped.signal)));
    const messages = await Promise.race([look, abort]).finally(() => stopped.abort());
    if (messages !== 'aborted') return messages;
    this.leftLook = look;
    look.then(
      (late) => this.leftLook === look && this.giveBack(look, late),
      () => this.leftLook === look && (this.leftLook = undefined),
    );
    return [];
  }

  private giveBack(look: Promise<Pulled>, late: Pulled): void {
    if (this.leftLook === look) this.leftLook = undefined;
    for (const message of late)
      this.settleOnce(message, 'alone', (receiver, sdk) => receiver.abandonMessage(sdk)).catch(() => undefined);
  }

  private async fill(room: number): Promise<Pulled> {
    if (room <= 0) return [];
    try {
      return await this.pull.pull(room, FILL_MS);
    } catch (error) {
      // The first message is ours already: hand it over, the next receive meets the failure.
      this.parts.telemetry?.warn('failed to fill a batch of messages', { cause: String(error) });
      return [];
    }
  }

  private hold(messages: Pulled): readonly ReceivedMessage[] {
    return messages.map((message) => {
      const received = toReceived(message);
      this.held.set(received, { sdk: message, tail: Promise.resolve() });
      return received;
    });
  }

  private async settle(
    verb: string,
    message: ReceivedMessage,
    turn: 'shared' | 'alone',
    work: (receiver: ServiceBusReceiver, sdk: ServiceBusReceivedMessage) => Promise<void>,
  ): Promise<void> {
    const request = this.requestOf(verb, message);
    const held = this.heldOf(message);
    const settled = held.tail.then(() =>
      this.parts.connection.request(request, () => this.settleOnce(held.sdk, turn, work)),
    );
    held.tail = settled.catch(() => undefined);
    return settled;
  }

  private settleOnce(
    sdk: ServiceBusReceivedMessage,
    turn: 'shared' | 'alone',
    work: (receiver: ServiceBusReceiver, sdk: ServiceBusReceivedMessage) => Promise<void>,
  ): Promise<void> {
    return settleWherePossible(
      sdk,
      (same) => this.turns[turn](() => work(this.pull.current(), same)),
      (byToken) => work(this.pull.current(), byToken),
    );
  }

  private requestOf(verb: string, { messageId }: ReceivedMessage) {
    const source = nameOf(this.parts.source);
    this.checkOpen(`${verb} message ${messageId} of`);
    return { step: `${verb} message ${messageId} of ${source}`, facts: { messageId, source } };
  }

  private heldOf(message: ReceivedMessage): Held {
    const held = this.held.get(message);
    invariant(held !== undefined, `message ${message.messageId} was not received here, or is a copy of what was`);
    return held;
  }

  private checkOpen(step: string): void {
    if (!this.closing.signal.aborted) return;
    throw new PortFailure(`failed to ${step} ${nameOf(this.parts.source)}: the receiver is closed`, {
      code: 'closed',
      retryable: false,
    });
  }
}
