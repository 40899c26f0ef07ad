import { SqliteMessageBus } from '../../../src/adapters/sqlite/sqlite-message-bus';
import {
  type MessageReceiver,
  type MessageSource,
  type OutgoingMessage,
  type ReceivedMessage,
  type TopicDeclaration,
} from '../../../src/application/ports/message-bus';
import { databaseOf, IN_MEMORY } from './sqlite-stores';
import { type WorldBroker } from './world-stores';

/** The product's bus, asked without waiting; what the world sees of it and does to it is SQL of its own. */
export class SqliteBroker implements WorldBroker {
  private readonly bus: SqliteMessageBus;
  private readonly receivers = new Map<string, MessageReceiver>();
  /** Of subscriptions, as the bus numbered them when it was opened. */
  private readonly numbers = new Map<string, number>();
  private readonly everAccepted = new Set<string>();
  private readonly statements: ReturnType<typeof prepare>;

  constructor(
    topology: readonly TopicDeclaration[],
    private readonly nowMs: () => number,
  ) {
    this.bus = new SqliteMessageBus({ ...IN_MEMORY, topology, now: nowMs });
    this.statements = prepare(databaseOf(this.bus));
  }

  async send(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    await this.bus.send(topic, messages);
    for (const { messageId } of messages) this.everAccepted.add(`${topic} ${messageId}`);
  }

  /** It forgets that it has the message. */
  async duplicate(topic: string, message: OutgoingMessage): Promise<void> {
    this.statements.forget.run(topic, message.messageId);
    await this.bus.send(topic, [message]);
  }

  /** What is to be skipped is out of sight meanwhile. */
  async take(source: MessageSource, max: number, skip = 0): Promise<readonly ReceivedMessage[]> {
    const queue = this.queue(source);
    const ready = skip === 0 ? [] : this.statements.ready.all(queue);
    const hidden = ready.slice(0, Math.min(skip, Math.max(0, ready.length - max)));
    for (const seq of hidden) this.statements.hide.run(queue, seq);
    const taken = await this.receiver(source).receive({ max, waitMs: 0 });
    for (const seq of hidden) this.statements.show.run(queue, seq);
    return taken;
  }

  complete(source: MessageSource, message: ReceivedMessage) {
    return this.receiver(source).complete(message);
  }

  abandon(source: MessageSource, message: ReceivedMessage) {
    return this.receiver(source).abandon(message);
  }

  deadLetter(source: MessageSource, message: ReceivedMessage, why: Parameters<MessageReceiver['deadLetter']>[1]) {
    return this.receiver(source).deadLetter(message, why);
  }

  renew(source: MessageSource, message: ReceivedMessage) {
    return this.receiver(source).renewLock(message);
  }

  peek(source: MessageSource, options: { readonly after?: string; readonly max: number }) {
    return this.bus.peek(source, options);
  }

  depth(source: MessageSource) {
    return this.bus.depth(source);
  }

  waiting(source: MessageSource): number {
    return this.statements.count.get(this.queue(source))!;
  }

  nextDue(source: MessageSource): number | undefined {
    const due = this.statements.nextDue.get(this.nowMs(), this.queue(source));
    return due ?? undefined;
  }

  expireLock(source: MessageSource, lockToken: string): void {
    this.statements.expire.run(this.nowMs(), this.queue(source), lockToken);
  }

  lose(source: MessageSource, which: number): void {
    const queue = this.queue(source);
    const count = this.statements.count.get(queue)!;
    if (count > 0) this.statements.lose.run(queue, which % count);
  }

  wasAccepted(topic: string, messageId: string): boolean {
    return this.everAccepted.has(`${topic} ${messageId}`);
  }

  close(): Promise<void> {
    return this.bus.close();
  }

  private receiver(source: MessageSource): MessageReceiver {
    const name = `${source.topic}/${source.subscription}${source.deadLetters ? '/dead' : ''}`;
    const receiver = this.receivers.get(name) ?? this.bus.receiver(source);
    this.receivers.set(name, receiver);
    return receiver;
  }

  private queue({ topic, subscription, deadLetters }: MessageSource): number {
    const name = `${topic}/${subscription}`;
    const number = this.numbers.get(name) ?? this.statements.subscription.get(topic, subscription)!;
    this.numbers.set(name, number);
    return 2 * number + (deadLetters ? 1 : 0);
  }
}

function prepare(database: ReturnType<typeof databaseOf>) {
  return {
    subscription: database
      .prepare<[string, string], number>('SELECT id FROM subscription WHERE topic = ? AND name = ?')
      .pluck(),
    forget: database.prepare<[string, string]>('DELETE FROM accepted WHERE topic = ? AND message_id = ?'),
    ready: database
      .prepare<[number], number>('SELECT seq FROM message WHERE queue = ? AND state = 0 ORDER BY seq')
      .pluck(),
    hide: database.prepare<[number, number]>('UPDATE message SET state = 1, due_at = 9e15 WHERE queue = ? AND seq = ?'),
    show: database.prepare<[number, number]>('UPDATE message SET state = 0, due_at = NULL WHERE queue = ? AND seq = ?'),
    count: database.prepare<[number], number>('SELECT count(*) FROM message WHERE queue = ?').pluck(),
    nextDue: database
      .prepare<[number, number], number | null>(
        'SELECT min(CASE state WHEN 0 THEN ? ELSE due_at END) FROM message WHERE queue = ?',
      )
      .pluck(),
    expire: database.prepare<[number, number, string]>(
      'UPDATE message SET due_at = ? WHERE queue = ? AND lock_token = ?',
    ),
    lose: database.prepare<[number, number]>(
      'DELETE FROM message WHERE (queue, seq) IN (SELECT queue, seq FROM message WHERE queue = ? ORDER BY seq LIMIT 1 OFFSET ?)',
    ),
  };
}
