import { PortFailure } from '../../application/ports/failures';
import {
  MESSAGES_PER_CALL_MAX,
  type MessageReceiver,
  type PeekedMessage,
  type ReceivedMessage,
} from '../../application/ports/message-bus';
import { instantFromMs, type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { messageBodyOfDecoded, messageProperties } from '../shared/message-body';
import { type GroupCommit } from './group-commit';
import { readFailure } from './sqlite-file';
import { type BusTables, type MessageRow, type Queue } from './sqlite-message-bus-tables';
import { type WakeSignal } from './wake-signal';

/** A waiting receiver looks this often though nothing woke it: file watching may fail, and signals may be lost. */
export const POLL_MS = 250;

export interface ReceiverParts {
  readonly queue: Queue;
  /** The subscription's own queue; differs from `queue` for dead letters only, which lapsed locks may feed. */
  readonly main: Queue;
  readonly tables: BusTables;
  readonly group: GroupCommit;
  readonly wake: WakeSignal;
  readonly now: () => number;
  readonly pollMs: number;
  readonly path: string;
  readonly onClose: () => void;
}

/** open → closed. Closing ends a waiting receive; what is locked comes back when its lock lapses. */
export class SqliteMessageReceiver implements MessageReceiver {
  private readonly closing = new AbortController();

  constructor(private readonly parts: ReceiverParts) {}

  async receive(options: {
    readonly max: number;
    readonly waitMs: number;
    readonly signal?: AbortSignal;
  }): Promise<readonly ReceivedMessage[]> {
    const { max, waitMs, signal } = options;
    invariant(
      Number.isSafeInteger(max) && max >= 1 && max <= MESSAGES_PER_CALL_MAX,
      `a receive takes 1 to ${MESSAGES_PER_CALL_MAX} messages, got ${max}`,
    );
    this.checkOpen('receive from');
    const deadline = performance.now() + waitMs;
    const changes = this.changes(signal);
    try {
      for (;;) {
        if (signal?.aborted || this.closing.signal.aborted) return [];
        changes.seen();
        const messages = await this.take(max);
        if (messages.length > 0 || this.closing.signal.aborted) return messages;
        const remainingMs = deadline - performance.now();
        if (remainingMs <= 0) return [];
        await changes.next(Math.min(remainingMs, this.parts.pollMs, this.msToNextDue()));
      }
    } finally {
      changes.stop();
    }
  }

  async complete(message: ReceivedMessage): Promise<void> {
    const { queue, tables } = this.parts;
    await this.settle('complete', message, (seq, now) => tables.complete(queue, seq, message.lockToken, now));
  }

  async abandon(message: ReceivedMessage): Promise<void> {
    const { queue, tables, wake } = this.parts;
    await this.settle('abandon', message, (seq, now) => tables.abandon(queue, seq, message.lockToken, now));
    wake.signal(queue.name);
    if (queue.deadLetters !== undefined) wake.signal(queue.deadLetters.name);
  }

  async deadLetter(
    message: ReceivedMessage,
    why: { readonly reason: string; readonly description: string },
  ): Promise<void> {
    const { queue, tables, wake } = this.parts;
    await this.settle('dead-letter', message, (seq, now) => tables.deadLetter(queue, seq, message.lockToken, why, now));
    wake.signal((queue.deadLetters ?? queue).name);
  }

  async renewLock(message: ReceivedMessage): Promise<Instant> {
    const { queue, tables } = this.parts;
    const renewedAt = await this.settle('renew the lock of', message, (seq, now) =>
      tables.renew(queue, seq, message.lockToken, now),
    );
    return instantFromMs(renewedAt + queue.lockMs);
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.parts.onClose();
  }

  private async take(max: number): Promise<readonly ReceivedMessage[]> {
    const { queue, main, tables, group, now } = this.parts;
    // Looking first keeps idle receivers away from the write lock.
    if (!this.read(() => tables.hasWork(queue, now()) || tables.isDue(main, now()))) return [];
    return group.run(() => {
      const at = now();
      tables.housekeep(main, at);
      if (queue !== main) tables.housekeep(queue, at);
      return tables.take(queue, max, at).map(receivedMessage);
    }, `receive from ${queue.name}`);
  }

  /** Runs one change of a locked message; when it was applied, in the bus' clock. */
  private async settle(
    verb: string,
    message: ReceivedMessage,
    change: (seq: number, now: number) => boolean,
  ): Promise<number> {
    const { queue, group, now } = this.parts;
    this.checkOpen(`${verb} message ${message.messageId} of`);
    const step = `${verb} message ${message.messageId} of ${queue.name}`;
    return group.run(() => {
      const at = now();
      if (change(Number(message.sequenceNumber), at)) return at;
      throw new PortFailure(`failed to ${step}: its lock has lapsed or it is settled already`, {
        code: 'lock-lost',
        retryable: false,
        facts: { messageId: message.messageId, queue: queue.name },
      });
    }, step);
  }

  /** Changes of the queue since `seen`, closing and abort included: none between two looks is missed. */
  private changes(signal: AbortSignal | undefined) {
    let changed = false;
    let notify: (() => void) | undefined;
    const onChange = (): void => {
      changed = true;
      notify?.();
    };
    const unlisten = this.parts.wake.listen(this.parts.queue.name, onChange);
    const signals = signal ? [signal, this.closing.signal] : [this.closing.signal];
    for (const each of signals) each.addEventListener('abort', onChange);
    return {
      seen: (): void => {
        changed = false;
      },
      next: (ms: number): Promise<void> =>
        new Promise((resolve) => {
          if (changed) return resolve();
          const timer = setTimeout(resolve, ms);
          notify = () => {
            clearTimeout(timer);
            resolve();
          };
        }),
      stop: (): void => {
        unlisten();
        for (const each of signals) each.removeEventListener('abort', onChange);
      },
    };
  }

  private msToNextDue(): number {
    const { queue, main, tables, now } = this.parts;
    const due = this.read(() => Math.min(tables.nextDue(queue) ?? Infinity, tables.nextDue(main) ?? Infinity));
    return Math.max(1, due - now());
  }

  private checkOpen(step: string): void {
    if (!this.closing.signal.aborted) return;
    throw new PortFailure(`failed to ${step} ${this.parts.queue.name}: the receiver is closed`, {
      code: 'closed',
      retryable: false,
    });
  }

  private read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw readFailure(`failed to look at ${this.parts.queue.name}`, this.parts.path, error);
    }
  }
}

/** The last instant that a date holds. */
const LAST_MS = 8_640_000_000_000_000;

/** Whatever lies in the row: what throws here would block all that is behind it. */
export function peekedMessage(row: MessageRow): PeekedMessage {
  return {
    messageId: String(row.message_id),
    body: messageBodyOfDecoded(row.body),
    correlationId: row.correlation_id === null ? undefined : String(row.correlation_id),
    properties: propertiesOf(row.properties),
    sequenceNumber: String(row.seq),
    enqueuedAt: instantFromMs(Number.isSafeInteger(row.enqueued_at) ? Math.min(row.enqueued_at, LAST_MS) : 0),
    deliveryCount: row.delivery_count,
    deadLetterReason: row.reason ?? undefined,
    deadLetterDescription: row.description ?? undefined,
  };
}

/** Properties that are no JSON object are none: the body is the message. */
function propertiesOf(text: unknown): PeekedMessage['properties'] {
  const read = messageBodyOfDecoded(text);
  const isObject = typeof read === 'object' && read !== null && !Array.isArray(read);
  return messageProperties(isObject ? (read as Readonly<Record<string, unknown>>) : {});
}

function receivedMessage(row: MessageRow): ReceivedMessage {
  return { ...peekedMessage(row), lockToken: row.lock_token!, lockedUntil: instantFromMs(row.due_at!) };
}
