import { type Database } from 'better-sqlite3';
import { PortFailure } from '../../application/ports/failures';
import {
  MESSAGES_PER_CALL_MAX,
  MESSAGE_ID_LENGTH_MAX,
  type MessageBus,
  type MessageReceiver,
  type MessageSource,
  type OutgoingMessage,
  type PeekedMessage,
  type SubscriptionDepth,
  type TopicDeclaration,
} from '../../application/ports/message-bus';
import { msOf } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { GroupCommit } from './group-commit';
import { openSqliteFile, prepared, readFailure, storageFailure } from './sqlite-file';
import { POLL_MS, SqliteMessageReceiver, peekedMessage } from './sqlite-message-bus-receiver';
import { BUS_SCHEMA, BusTables, type PreparedMessage, type Queue } from './sqlite-message-bus-tables';
import { WakeSignal } from './wake-signal';
import { checkPeek } from '../shared/port-terms';

/** A sequence number is a whole number that a double holds. */
const SEQUENCE_DIGITS_MAX = 15;

/** Of one message, body and properties as text: what Azure Service Bus Standard takes, so that both stacks agree. */
export const MESSAGE_BYTES_MAX = 256 * 1024;

export interface SqliteMessageBusOptions {
  readonly path: string;
  readonly topology: readonly TopicDeclaration[];
  /** Milliseconds since 1970. Processes that share a file must share a clock, as they do on one machine. */
  readonly now?: () => number;
  /** How often a waiting receiver looks though nothing woke it; POLL_MS where left out. */
  readonly pollMs?: number;
  readonly synchronous?: 'FULL' | 'OFF';
}

interface Topic {
  readonly declaration: TopicDeclaration;
  readonly queues: readonly Queue[];
}

/**
 * A broker in one SQLite file, for any number of processes on one machine. Nothing runs in the background: locks lapse
 * and schedules come due when the next caller looks at their subscription.
 */
export class SqliteMessageBus implements MessageBus {
  private readonly database: Database;
  private readonly group: GroupCommit;
  private readonly tables: BusTables;
  private readonly wake: WakeSignal;
  private readonly topics: ReadonlyMap<string, Topic>;
  private readonly receivers = new Set<SqliteMessageReceiver>();
  private readonly now: () => number;

  constructor(private readonly options: SqliteMessageBusOptions) {
    this.now = options.now ?? Date.now;
    this.database = openSqliteFile({ ...options, kind: 'bus', schema: BUS_SCHEMA });
    this.group = new GroupCommit(this.database);
    this.tables = prepared(this.database, { path: options.path, kind: 'bus' }, () => new BusTables(this.database));
    this.wake = new WakeSignal(options.path === ':memory:' ? undefined : `${options.path}.wake`);
    this.topics = this.openTopics();
  }

  /** Several processes may do so on a new file at once: one that finds it locked says so as a failure to be repeated. */
  private openTopics(): ReadonlyMap<string, Topic> {
    try {
      return new Map(
        this.options.topology.map((declaration) => [
          declaration.name,
          {
            declaration,
            queues: declaration.subscriptions.map((subscription) => this.tables.queueOf(declaration, subscription)),
          },
        ]),
      );
    } catch (error) {
      this.database.close();
      throw storageFailure('failed to set up topics and subscriptions', this.options.path, error);
    }
  }

  async send(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    invariant(
      messages.length <= MESSAGES_PER_CALL_MAX,
      `a call sends at most ${MESSAGES_PER_CALL_MAX} messages, got ${messages.length}`,
    );
    const { declaration, queues } = this.topic(topic);
    const prepared = messages.map((message) => preparedMessage(topic, message));
    if (prepared.length === 0) return;
    const touched = await this.group.run(
      () => this.tables.add(declaration, queues, prepared, this.now()),
      `send ${messages.length} message(s) to topic ${topic}`,
    );
    for (const queue of touched) this.wake.signal(queue.name);
  }

  receiver(source: MessageSource): MessageReceiver {
    const receiver = new SqliteMessageReceiver({
      queue: this.queue(source),
      main: this.queue({ ...source, deadLetters: false }),
      tables: this.tables,
      group: this.group,
      wake: this.wake,
      now: this.now,
      pollMs: this.options.pollMs ?? POLL_MS,
      path: this.options.path,
      onClose: () => this.receivers.delete(receiver),
    });
    this.receivers.add(receiver);
    return receiver;
  }

  async peek(
    source: MessageSource,
    options: { readonly after?: string; readonly max: number },
  ): Promise<readonly PeekedMessage[]> {
    const { after = '0', max } = options;
    checkPeek(after, max, SEQUENCE_DIGITS_MAX);
    const queue = this.queue(source);
    await this.housekeep(this.queue({ ...source, deadLetters: false }));
    return this.read(`peek at ${queue.name}`, () =>
      this.tables.page(queue, Number(after), max, this.now()).map(peekedMessage),
    );
  }

  async depth(source: { readonly topic: string; readonly subscription: string }): Promise<SubscriptionDepth> {
    const queue = this.queue({ topic: source.topic, subscription: source.subscription });
    await this.housekeep(queue);
    return this.read(`count the messages of ${queue.name}`, () =>
      // One state for all the counts: a message on its way to the dead letters is counted once.
      this.database.transaction(() => this.tables.depth(queue, this.now()))(),
    );
  }

  /** Ends waiting receives, finishes what was taken on, then closes the file. */
  async close(): Promise<void> {
    await Promise.all([...this.receivers].map((receiver) => receiver.close()));
    await this.group.close();
    this.wake.close();
    if (this.database.open) this.database.close();
  }

  /** Lapsed locks may have made dead letters that nobody has moved yet: do it before someone looks. */
  private async housekeep(queue: Queue): Promise<void> {
    if (this.read(`look at ${queue.name}`, () => this.tables.isDue(queue, this.now()))) {
      await this.group.run(() => this.tables.housekeep(queue, this.now()), `bring back due messages of ${queue.name}`);
    }
  }

  private topic(name: string): Topic {
    const topic = this.topics.get(name);
    if (topic) return topic;
    const known = [...this.topics.keys()].join(', ');
    throw new PortFailure(`there is no topic ${name}, expected one of: ${known}`, {
      code: 'not-found',
      retryable: false,
      facts: { topic: name },
    });
  }

  private queue({ topic, subscription, deadLetters }: MessageSource): Queue {
    const { queues } = this.topic(topic);
    const queue = queues.find((candidate) => candidate.subscription === subscription);
    if (queue) return deadLetters === true ? queue.deadLetters! : queue;
    const known = queues.map((candidate) => candidate.subscription).join(', ');
    throw new PortFailure(`topic ${topic} has no subscription ${subscription}, expected one of: ${known}`, {
      code: 'not-found',
      retryable: false,
      facts: { topic, subscription },
    });
  }

  private read<T>(step: string, work: () => T): T {
    if (!this.database.open)
      throw new PortFailure(`failed to ${step}: the bus is closed`, { code: 'closed', retryable: false });
    try {
      return work();
    } catch (error) {
      throw readFailure(`failed to ${step}`, this.options.path, error);
    }
  }
}

function preparedMessage(topic: string, message: OutgoingMessage): PreparedMessage {
  const { messageId, correlationId } = message;
  invariant(messageId.length > 0, `a message to topic ${topic} has an empty message id`);
  if (messageId.length > MESSAGE_ID_LENGTH_MAX) {
    throw tooLarge(
      topic,
      messageId,
      `its id has ${messageId.length} characters, expected at most ${MESSAGE_ID_LENGTH_MAX}`,
    );
  }
  const body = JSON.stringify(message.body) as string | undefined;
  invariant(body !== undefined, `the body of message ${messageId} to topic ${topic} is not JSON`);
  const properties = JSON.stringify(message.properties);
  const bytes = Buffer.byteLength(body) + Buffer.byteLength(properties);
  if (bytes > MESSAGE_BYTES_MAX)
    throw tooLarge(topic, messageId, `it has ${bytes} bytes, expected at most ${MESSAGE_BYTES_MAX}`);
  return {
    messageId,
    correlationId,
    eventType: message.properties['eventType'],
    target: message.properties['target'],
    properties,
    body,
    scheduledFor: message.scheduledFor === undefined ? undefined : msOf(message.scheduledFor),
  };
}

function tooLarge(topic: string, messageId: string, why: string): PortFailure {
  return new PortFailure(
    `failed to send message ${messageId.slice(0, MESSAGE_ID_LENGTH_MAX)} to topic ${topic}: ${why}`,
    {
      code: 'message-too-large',
      retryable: false,
      facts: { topic },
    },
  );
}
