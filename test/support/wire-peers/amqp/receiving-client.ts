import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { type Delivery, type EventContext, type Sender } from 'rhea';
import {
  type MessageBus,
  type MessageSource,
  type ReceivedMessage,
} from '../../../../src/application/ports/message-bus';
import { type Entity } from './entity';
import { type Fault } from './planned-faults';
import { tagOfToken } from './lock-tokens';
import { answerDrain, creditOf, forget, isDraining, settle } from './rhea-untyped';
import { notSupported, wireError, type WireError } from './wire-errors';
import { changedProperties, hasExpired, receivedWireMessage } from './wire-messages';

/** One look at the bus at most waits this long; the next begins at once. */
const WAIT_MS = 10_000;
const MESSAGES_AT_ONCE_MAX = 200;

interface Outcome {
  readonly undeliverable_here?: boolean;
  /** Where a client puts the properties it changes by abandoning. */
  readonly message_annotations?: Record<string, unknown>;
  readonly error?: { readonly info?: Record<string, unknown>; readonly description?: string };
}

/**
 * A client receives on this link: idle → looking (while it gave credit) → idle. A drain ends the look, takes what is
 * there now and gives the remaining credit back.
 */
export class ReceivingClient {
  /** Gets no message from here on, though its drains are answered. */
  muted = false;
  /** Answers a drain so much later. */
  drainDelayMs = 0;
  private readonly closing = new AbortController();
  private drainAsked = false;
  private looking: AbortController | undefined;
  private readonly tokens = new WeakMap<Delivery, string>();
  /** By sequence number, so that a message delivered again frees the place of its lapsed delivery in the window. */
  private readonly unsettled = new Map<string, Delivery>();

  constructor(
    readonly link: Sender,
    private readonly bus: MessageBus,
    private readonly source: MessageSource,
    private readonly entity: Entity,
    private readonly faults: { readonly next: () => Fault | undefined; readonly forceClose: () => void },
    private readonly now: () => number,
  ) {
    link.on('sender_flow', () => this.onFlow());
    link.on('accepted', (context: EventContext) => this.onOutcome(context, 'accepted'));
    link.on('modified', (context: EventContext) => this.onOutcome(context, 'modified'));
    link.on('rejected', (context: EventContext) => this.onOutcome(context, 'rejected'));
  }

  stop(): void {
    this.closing.abort();
    this.looking?.abort();
  }

  private onFlow(): void {
    this.drainAsked ||= isDraining(this.link);
    if (this.looking === undefined) void this.pump();
    else if (this.drainAsked) this.looking.abort();
  }

  private async pump(): Promise<void> {
    const receiver = this.bus.receiver(this.source);
    try {
      while (!this.closing.signal.aborted && this.link.sendable()) {
        const draining = this.drainAsked;
        this.looking = new AbortController();
        const { muted } = this;
        const messages = muted
          ? []
          : await receiver.receive({
              max: Math.min(creditOf(this.link), MESSAGES_AT_ONCE_MAX),
              waitMs: draining ? 0 : WAIT_MS,
              signal: draining ? this.closing.signal : this.looking.signal,
            });
        for (const message of messages) {
          if (hasExpired(message, this.now())) await receiver.complete(message);
          else this.deliver(message);
        }
        // Deliveries spend their credit when rhea writes them, which it does before the next turn.
        if (messages.length > 0) await setImmediate();
        if (messages.length === 0 && (draining || muted)) break;
      }
      if (this.drainAsked) {
        if (this.drainDelayMs > 0) await delay(this.drainDelayMs);
        answerDrain(this.link);
      }
      this.drainAsked = false;
    } catch (failure) {
      this.link.close(wireError(failure));
    } finally {
      this.looking = undefined;
      await receiver.close();
    }
  }

  private deliver(message: ReceivedMessage): void {
    if (this.closing.signal.aborted) return;
    this.entity.locked(message);
    const lapsed = this.unsettled.get(message.sequenceNumber);
    if (lapsed !== undefined) forget(lapsed);
    const tag = tagOfToken(message.lockToken);
    const delivery = this.link.send(receivedWireMessage(this.entity.withModified(message)), tag);
    this.tokens.set(delivery, message.lockToken);
    this.unsettled.set(message.sequenceNumber, delivery);
  }

  private onOutcome(context: EventContext, kind: 'accepted' | 'modified' | 'rejected'): void {
    const delivery = context.delivery!;
    const token = this.tokens.get(delivery)!;
    const { undeliverable_here: defer, error, message_annotations } = (delivery.remote_state ?? {}) as Outcome;
    if (kind === 'modified' && defer === true) return this.answer(delivery, notSupported('deferring'));
    const fault = this.faults.next();
    if (typeof fault === 'object') return this.answer(delivery, fault);
    this.entity
      .settle(token, async (settler, message) => {
        this.unsettled.delete(message.sequenceNumber);
        this.entity.modify(
          message.messageId,
          changedProperties(kind === 'rejected' ? error?.info : message_annotations),
        );
        if (kind === 'accepted') await settler.complete(message);
        else if (kind === 'modified') await settler.abandon(message);
        else await settler.deadLetter(message, whyOf(error?.info));
      })
      .then(
        () => {
          if (fault === 'force-close') this.faults.forceClose();
          else if (fault === undefined) this.answer(delivery, undefined);
        },
        (failure: unknown) => this.answer(delivery, wireError(failure)),
      );
  }

  private answer(delivery: Delivery, error: WireError | undefined): void {
    if (!this.closing.signal.aborted) settle(delivery, error);
  }
}

const whyOf = (info: Record<string, unknown> | undefined): { reason: string; description: string } => ({
  reason: textOf(info?.['DeadLetterReason']),
  description: textOf(info?.['DeadLetterErrorDescription']),
});

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
