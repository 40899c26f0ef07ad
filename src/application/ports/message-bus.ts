import { type Instant } from '../../domain/instant';

/** Topic, subscription and lock settings every adapter sets up or expects: see application/topology.ts. */
export interface TopicDeclaration {
  readonly name: string;
  readonly duplicateDetectionWindowMs: number;
  /** Messages older than this are dropped; undefined: never. */
  readonly timeToLiveMs: number | undefined;
  readonly subscriptions: readonly SubscriptionDeclaration[];
}

export interface SubscriptionDeclaration {
  readonly name: string;
  /** eventType equals this (undefined: any) AND (property `target` absent OR equal to the subscription's name). */
  readonly eventType: string | undefined;
  readonly lockMs: number;
  /** A message received this often without being settled goes to the dead letters by the broker itself. */
  readonly deliveryCountMax: number;
}

/** At most this many messages in one call to send, receive or peek. */
export const MESSAGES_PER_CALL_MAX = 1_000;
export const MESSAGE_ID_LENGTH_MAX = 128;
export const BROKER_DEAD_LETTER_REASON = 'MaxDeliveryCountExceeded';

/**
 * Topics with filtered subscriptions, peek-lock, dead letters, duplicate detection, scheduled messages.
 *
 * Laws:
 *  1  A sent message reaches each subscription whose filter takes it, once, and no other.
 *  2  A received message is locked: no other receiver gets it until it is settled or its lock expires.
 *  3  A completed message is gone for good.
 *  4  An abandoned message comes back, its delivery count one higher.
 *  5  After lockMs without renewal the lock is lost: settling fails with PortFailure 'lock-lost', the message comes back
 *     with a new token and a delivery count one higher.
 *  6  A renewed lock holds for another lockMs; renewal works any number of times; renewing a lost lock is 'lock-lost'.
 *  7  A message received deliveryCountMax times and not settled goes to the dead letters with reason
 *     BROKER_DEAD_LETTER_REASON.
 *  8  A dead-lettered message keeps its body, properties and message id, and carries reason and description.
 *  9  Dead letters are received, peeked and completed like a subscription's messages; peeking locks nothing.
 * 10  A scheduled message is never received before its time, and is soon after it. Brokers differ in whether they show it
 *     before: either peek yields it and depth counts it, or peek leaves it out and depth says undefined.
 * 11  Within the topic's window a repeated message id is accepted and dropped: inside one call, across calls and
 *     processes, for scheduled messages too, counted from when it was accepted.
 * 12  send returns when every message survives the death of the process and the machine; when it throws, any part may
 *     have been accepted, and repeating the same call is safe.
 * 13  Messages sent earlier are received earlier where there is one receiver that takes one at a time, and
 *     redelivery aside.
 * 14  receive returns as soon as at least one message is there, [] after waitMs or when the signal aborts; a message
 *     sent by another process wakes it within milliseconds.
 * 15  A message that is too large, or a message id too long, is refused with PortFailure 'message-too-large',
 *     not retryable, and nothing of that call is sent.
 * 16  Closing a receiver with unsettled messages loses none: they come back when their locks expire.
 * 17  A send that was acknowledged before a complete was called is never undone by what follows.
 * 18  Whatever others put into a broker as a body (no JSON, no UTF-8, JSON nested a hundred thousand deep, nothing at all)
 *     or as properties arrives as it can be told, in its turn, and keeps no other message from being received, peeked
 *     at or settled. Such a message is dead-lettered like any other.
 */
export interface MessageBus {
  /** Splits into broker-sized batches as needed. At most MESSAGES_PER_CALL_MAX. */
  send(topic: string, messages: readonly OutgoingMessage[]): Promise<void>;
  receiver(source: MessageSource): MessageReceiver;
  /** Looks without locking, oldest first, after a sequence number. */
  peek(
    source: MessageSource,
    options: { readonly after?: string; readonly max: number },
  ): Promise<readonly PeekedMessage[]>;
  depth(source: { readonly topic: string; readonly subscription: string }): Promise<SubscriptionDepth>;
}

export interface MessageSource {
  readonly topic: string;
  readonly subscription: string;
  readonly deadLetters?: boolean;
}

export interface OutgoingMessage {
  readonly messageId: string;
  /** JSON. */
  readonly body: unknown;
  readonly correlationId?: string;
  readonly properties: Readonly<Record<string, string | number | boolean>>;
  readonly scheduledFor?: Instant;
}

export interface MessageReceiver {
  receive(options: {
    readonly max: number;
    readonly waitMs: number;
    readonly signal?: AbortSignal;
  }): Promise<readonly ReceivedMessage[]>;
  complete(message: ReceivedMessage): Promise<void>;
  abandon(message: ReceivedMessage): Promise<void>;
  deadLetter(message: ReceivedMessage, why: { readonly reason: string; readonly description: string }): Promise<void>;
  /** The instant until which the lock now holds. */
  renewLock(message: ReceivedMessage): Promise<Instant>;
  close(): Promise<void>;
}

export interface PeekedMessage {
  readonly messageId: string;
  /** The parsed JSON; the raw text where it is not JSON, not UTF-8, or JSON that is nested deeper than 64 levels. */
  readonly body: unknown;
  readonly correlationId: string | undefined;
  readonly properties: Readonly<Record<string, string | number | boolean>>;
  /** Unique in the topic, growing; decimal text (64 bits). */
  readonly sequenceNumber: string;
  readonly enqueuedAt: Instant;
  /** How often it has been received, this time included; 1 at first. */
  readonly deliveryCount: number;
  readonly deadLetterReason: string | undefined;
  readonly deadLetterDescription: string | undefined;
}

export interface ReceivedMessage extends PeekedMessage {
  readonly lockToken: string;
  readonly lockedUntil: Instant;
}

export interface SubscriptionDepth {
  /** Ready or locked. */
  readonly active: number;
  /** Undefined: this broker does not tell. */
  readonly scheduled: number | undefined;
  readonly deadLettered: number;
}
