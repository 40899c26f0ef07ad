import {
  BROKER_DEAD_LETTER_REASON,
  MESSAGE_ID_LENGTH_MAX,
  MESSAGES_PER_CALL_MAX,
  type MessageSource,
  type OutgoingMessage,
  type PeekedMessage,
  type ReceivedMessage,
  type SubscriptionDepth,
  type TopicDeclaration,
} from '../../../src/application/ports/message-bus';
import { PortFailure } from '../../../src/application/ports/failures';
import { type Instant, instantFromMs, msOf } from '../../../src/domain/instant';
import { invariant } from '../../../src/domain/invariant';
import { type WorldBroker } from './world-stores';

const BODY_LENGTH_MAX = 1_000_000;

interface Held {
  readonly sequence: number;
  readonly messageId: string;
  readonly body: string;
  readonly correlationId: string | undefined;
  readonly properties: string;
  enqueuedAt: number;
  scheduledFor: number | undefined;
  lockToken: string | undefined;
  lockedUntil: number;
  deliveryCount: number;
  reason: string | undefined;
  description: string | undefined;
}

interface Queue {
  readonly name: string;
  readonly eventType: string | undefined;
  readonly lockMs: number;
  readonly deliveryCountMax: number;
  readonly timeToLiveMs: number | undefined;
  readonly live: Held[];
  readonly dead: Held[];
}

interface Topic {
  readonly windowMs: number;
  readonly accepted: Map<string, number>;
  readonly queues: readonly Queue[];
}

/**
 * The broker's whole state and what may be done to it, at once. A message is ready, scheduled (scheduledFor), locked
 * (lockToken, lockedUntil) or a dead letter; what is due is looked at whenever anything is done.
 */
export class MemoryBroker implements WorldBroker {
  private readonly topics = new Map<string, Topic>();
  private sequence = 0;

  constructor(
    topology: readonly TopicDeclaration[],
    private readonly nowMs: () => number,
  ) {
    for (const { name, duplicateDetectionWindowMs, timeToLiveMs, subscriptions } of topology) {
      const queues = subscriptions.map((each): Queue => ({ ...each, timeToLiveMs, live: [], dead: [] }));
      this.topics.set(name, { windowMs: duplicateDetectionWindowMs, accepted: new Map(), queues });
    }
  }

  send(topicName: string, messages: readonly OutgoingMessage[]): void {
    invariant(
      messages.length <= MESSAGES_PER_CALL_MAX,
      `a send holds at most ${MESSAGES_PER_CALL_MAX} messages, got ${messages.length}`,
    );
    const topic = this.topic(topicName);
    const now = this.nowMs();
    const bodies = messages.map((message) => {
      const body = JSON.stringify(message.body);
      if (body.length > BODY_LENGTH_MAX || message.messageId.length > MESSAGE_ID_LENGTH_MAX) {
        throw new PortFailure(`failed to send message ${message.messageId.slice(0, 40)}`, {
          code: 'message-too-large',
          retryable: false,
        });
      }
      return body;
    });
    messages.forEach((message, index) => {
      const acceptedAt = topic.accepted.get(message.messageId);
      if (acceptedAt !== undefined && now - acceptedAt < topic.windowMs) return;
      topic.accepted.set(message.messageId, now);
      this.enqueue(topic, message, bodies[index]!, now);
    });
  }

  /** A backup; called, it brings back what lay there then. Sequence numbers go on: locks of then have lapsed by themselves. */
  snapshot(): () => void {
    const topics = structuredClone([...this.topics]);
    return () => {
      this.topics.clear();
      for (const [name, topic] of topics) this.topics.set(name, topic);
    };
  }

  duplicate(topicName: string, message: OutgoingMessage): void {
    this.enqueue(this.topic(topicName), message, JSON.stringify(message.body), this.nowMs());
  }

  take(source: MessageSource, max: number, skip = 0): readonly ReceivedMessage[] {
    invariant(isBatch(max), `a receive takes 1 to ${MESSAGES_PER_CALL_MAX} messages, got ${max}`);
    const queue = this.due(source);
    const held = source.deadLetters ? queue.dead : queue.live;
    const now = this.nowMs();
    const ready = held.filter((message) => isReady(message, now));
    const from = Math.min(skip, Math.max(0, ready.length - max));
    return ready.slice(from, from + max).map((message) => {
      message.lockToken = `lock-${++this.sequence}`;
      message.lockedUntil = now + queue.lockMs;
      message.deliveryCount++;
      return { ...peeked(message), lockToken: message.lockToken, lockedUntil: instantFromMs(message.lockedUntil) };
    });
  }

  complete(source: MessageSource, message: ReceivedMessage): void {
    const { held, index } = this.locked(source, message);
    held.splice(index, 1);
  }

  abandon(source: MessageSource, message: ReceivedMessage): void {
    const { queue, held, index } = this.locked(source, message);
    const one = held[index]!;
    release(one);
    if (!source.deadLetters && one.deliveryCount >= queue.deliveryCountMax)
      bury(queue, one, BROKER_DEAD_LETTER_REASON, exhausted(queue));
  }

  deadLetter(
    source: MessageSource,
    message: ReceivedMessage,
    why: { readonly reason: string; readonly description: string },
  ): void {
    const { queue, held, index } = this.locked(source, message);
    const one = held[index]!;
    release(one);
    if (source.deadLetters) Object.assign(one, why);
    else bury(queue, one, why.reason, why.description);
  }

  renew(source: MessageSource, message: ReceivedMessage): Instant {
    const { queue, held, index } = this.locked(source, message);
    held[index]!.lockedUntil = this.nowMs() + queue.lockMs;
    return instantFromMs(held[index]!.lockedUntil);
  }

  peek(source: MessageSource, options: { readonly after?: string; readonly max: number }): readonly PeekedMessage[] {
    const { after = '0', max } = options;
    invariant(isBatch(max), `a peek yields 1 to ${MESSAGES_PER_CALL_MAX} messages, got ${max}`);
    invariant(
      /^\d{1,15}$/.test(after),
      `a sequence number is one that a message carried, got ${JSON.stringify(after)}`,
    );
    const queue = this.due(source);
    return (source.deadLetters ? queue.dead : queue.live)
      .filter(({ sequence }) => sequence > Number(after))
      .slice(0, max)
      .map(peeked);
  }

  depth(source: MessageSource): SubscriptionDepth {
    const queue = this.due(source);
    const now = this.nowMs();
    const scheduled = queue.live.filter(({ scheduledFor }) => scheduledFor !== undefined && scheduledFor > now).length;
    return { active: queue.live.length - scheduled, scheduled, deadLettered: queue.dead.length };
  }

  nextDue(source: MessageSource): number | undefined {
    const queue = this.queue(source);
    let next = Infinity;
    for (const { lockToken, lockedUntil, scheduledFor } of source.deadLetters ? queue.dead : queue.live) {
      if (lockToken !== undefined) next = Math.min(next, lockedUntil);
      else next = Math.min(next, scheduledFor ?? this.nowMs());
    }
    return next === Infinity ? undefined : next;
  }

  expireLock(source: MessageSource, lockToken: string): void {
    const held = this.queue(source).live.find((message) => message.lockToken === lockToken);
    if (held) held.lockedUntil = this.nowMs();
  }

  lose(source: MessageSource, which: number): string | undefined {
    const { live } = this.queue(source);
    return live.length === 0 ? undefined : live.splice(which % live.length, 1)[0]!.messageId;
  }

  waiting(source: MessageSource): number {
    return this.due(source).live.length;
  }

  close(): void {}

  wasAccepted(topicName: string, messageId: string): boolean {
    return this.topic(topicName).accepted.has(messageId);
  }

  private enqueue(topic: Topic, message: OutgoingMessage, body: string, now: number): void {
    const at = message.scheduledFor === undefined ? now : msOf(message.scheduledFor);
    const { eventType, target } = message.properties;
    for (const queue of topic.queues) {
      if (queue.eventType !== undefined && queue.eventType !== eventType) continue;
      if (target !== undefined && target !== queue.name) continue;
      queue.live.push({
        sequence: ++this.sequence,
        messageId: message.messageId,
        body,
        correlationId: message.correlationId,
        properties: JSON.stringify(message.properties),
        enqueuedAt: Math.max(at, now),
        scheduledFor: at > now ? at : undefined,
        lockToken: undefined,
        lockedUntil: 0,
        deliveryCount: 0,
        reason: undefined,
        description: undefined,
      });
    }
  }

  /** The queue with everything done that is due: locks lapsed, the exhausted buried, the old dropped. */
  private due(source: MessageSource): Queue {
    const queue = this.queue(source);
    const now = this.nowMs();
    for (const message of [...queue.live]) {
      if (message.lockToken !== undefined && message.lockedUntil <= now) {
        release(message);
        if (message.deliveryCount >= queue.deliveryCountMax)
          bury(queue, message, BROKER_DEAD_LETTER_REASON, exhausted(queue));
      }
      const old = queue.timeToLiveMs !== undefined && message.enqueuedAt < now - queue.timeToLiveMs;
      if (old && message.lockToken === undefined) queue.live.splice(queue.live.indexOf(message), 1);
    }
    for (const message of queue.dead)
      if (message.lockToken !== undefined && message.lockedUntil <= now) release(message);
    return queue;
  }

  private locked(
    source: MessageSource,
    { lockToken, messageId }: ReceivedMessage,
  ): { queue: Queue; held: Held[]; index: number } {
    const queue = this.due(source);
    const held = source.deadLetters ? queue.dead : queue.live;
    const index = held.findIndex((message) => message.lockToken === lockToken);
    if (index < 0)
      throw new PortFailure(`failed to settle message ${messageId}`, { code: 'lock-lost', retryable: false });
    return { queue, held, index };
  }

  private queue({ topic, subscription }: MessageSource): Queue {
    const queue = this.topic(topic).queues.find(({ name }) => name === subscription);
    if (!queue)
      throw new PortFailure(`failed to find subscription ${subscription} of topic ${topic}`, {
        code: 'not-found',
        retryable: false,
      });
    return queue;
  }

  private topic(name: string): Topic {
    const topic = this.topics.get(name);
    if (!topic) throw new PortFailure(`failed to find topic ${name}`, { code: 'not-found', retryable: false });
    return topic;
  }
}

const isBatch = (max: number): boolean => Number.isSafeInteger(max) && max >= 1 && max <= MESSAGES_PER_CALL_MAX;

const exhausted = (queue: Queue): string => `received ${queue.deliveryCountMax} times without being settled`;

function isReady({ lockToken, scheduledFor }: Held, now: number): boolean {
  return lockToken === undefined && (scheduledFor === undefined || scheduledFor <= now);
}

function release(message: Held): void {
  message.lockToken = undefined;
  message.scheduledFor = undefined;
}

function bury(queue: Queue, message: Held, reason: string, description: string): void {
  queue.live.splice(queue.live.indexOf(message), 1);
  queue.dead.push(Object.assign(message, { reason, description }));
  queue.dead.sort((a, b) => a.sequence - b.sequence);
}

const peeked = (message: Held): PeekedMessage => ({
  messageId: message.messageId,
  body: JSON.parse(message.body) as unknown,
  correlationId: message.correlationId,
  properties: JSON.parse(message.properties) as PeekedMessage['properties'],
  sequenceNumber: String(message.sequence),
  enqueuedAt: instantFromMs(message.enqueuedAt),
  deliveryCount: message.deliveryCount,
  deadLetterReason: message.reason,
  deadLetterDescription: message.description,
});
