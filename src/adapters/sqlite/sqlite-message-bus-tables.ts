import { type Database } from 'better-sqlite3';
import {
  BROKER_DEAD_LETTER_REASON,
  type SubscriptionDeclaration,
  type SubscriptionDepth,
  type TopicDeclaration,
} from '../../application/ports/message-bus';
import { isDamaged } from './sqlite-file';

/*
 * A row is one message in one queue; a subscription has two queues, its own (even number) and its dead letters (the
 * next odd one). state: 0 ready (due_at NULL), 1 scheduled (due_at: when), 2 locked (due_at: until when).
 * The two partial indexes keep receiving independent of how many messages are locked or scheduled.
 * `accepted` remembers message ids for duplicate detection; it loses the old ones as new ones come.
 */
export const BUS_SCHEMA = [
  `CREATE TABLE subscription (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (topic, name));
   CREATE TABLE message (
     queue INTEGER NOT NULL,
     seq INTEGER NOT NULL,
     state INTEGER NOT NULL,
     due_at INTEGER,
     lock_token TEXT,
     delivery_count INTEGER NOT NULL,
     enqueued_at INTEGER NOT NULL,
     message_id TEXT NOT NULL,
     correlation_id TEXT,
     properties TEXT NOT NULL,
     body TEXT NOT NULL,
     reason TEXT,
     description TEXT,
     PRIMARY KEY (queue, seq)
   ) WITHOUT ROWID;
   CREATE INDEX message_ready ON message (queue, seq) WHERE state = 0;
   CREATE INDEX message_waiting ON message (queue, state, due_at) WHERE due_at IS NOT NULL;
   CREATE TABLE accepted (topic TEXT NOT NULL, message_id TEXT NOT NULL, accepted_at INTEGER NOT NULL, PRIMARY KEY (topic, message_id)) WITHOUT ROWID;
   CREATE INDEX accepted_by_age ON accepted (topic, accepted_at);
   CREATE TABLE sequence (newest INTEGER NOT NULL);
   INSERT INTO sequence VALUES (0);`,
];

/** Due messages brought back by one housekeeping; more wait for the next. */
const HOUSEKEEPING_MAX = 1_000;
/** Old rows removed by a send beyond as many as it adds, so that a table shrinks again after a rush. */
const PURGE_EXTRA = 16;
/** Ready messages looked at in one receive where some of them cannot be read. */
const READY_LOOKED_AT_MAX = 10_000;
const READY = 0;
const SCHEDULED = 1;
const LOCKED = 2;

export interface Queue {
  readonly id: number;
  /** Of the wake signal: `topic/subscription`, and `/dead` after it for dead letters. */
  readonly name: string;
  readonly lockMs: number;
  /** Infinity for dead letters, which stay until someone completes them. */
  readonly deliveryCountMax: number;
  readonly timeToLiveMs: number | undefined;
  readonly eventType: string | undefined;
  readonly subscription: string;
  /** Where exhausted messages go; undefined for dead letters. */
  readonly deadLetters: Queue | undefined;
}

export interface PreparedMessage {
  readonly messageId: string;
  readonly correlationId: string | undefined;
  readonly eventType: unknown;
  readonly target: unknown;
  readonly properties: string;
  readonly body: string;
  readonly scheduledFor: number | undefined;
}

export interface MessageRow {
  readonly seq: number;
  readonly due_at: number | null;
  readonly lock_token: string | null;
  readonly delivery_count: number;
  readonly enqueued_at: number;
  readonly message_id: string;
  readonly correlation_id: string | null;
  readonly properties: string;
  readonly body: string;
  readonly reason: string | null;
  readonly description: string | null;
}

const ROW =
  'seq, due_at, lock_token, delivery_count, enqueued_at, message_id, correlation_id, properties, body, reason, description';

/** The bus' tables and what may be done to them, synchronously; whoever calls a writing method is in a transaction. */
export class BusTables {
  private readonly statements: ReturnType<typeof prepare>;
  /** Messages that this process found on pages that cannot be read, by queue. */
  private readonly passedOver = new Map<number, Set<number>>();

  constructor(private readonly database: Database) {
    this.statements = prepare(database);
  }

  /** The queue of a subscription, entered in the file where it is new. */
  queueOf(topic: TopicDeclaration, subscription: SubscriptionDeclaration): Queue {
    const find = () => this.statements.subscription.get(topic.name, subscription.name)?.id;
    if (find() === undefined)
      this.database.transaction(() => this.statements.addSubscription.run(topic.name, subscription.name)).immediate();
    const id = 2 * find()!;
    const name = `${topic.name}/${subscription.name}`;
    const { lockMs, eventType } = subscription;
    const shared = { lockMs, eventType, subscription: subscription.name };
    const deadLetters: Queue = {
      ...shared,
      id: id + 1,
      name: `${name}/dead`,
      deliveryCountMax: Infinity,
      timeToLiveMs: undefined,
      deadLetters: undefined,
    };
    return {
      ...shared,
      id,
      name,
      deliveryCountMax: subscription.deliveryCountMax,
      timeToLiveMs: topic.timeToLiveMs,
      deadLetters,
    };
  }

  /** Puts each message that is no duplicate into the queues whose filter takes it; the queues that got any. */
  add(
    topic: TopicDeclaration,
    queues: readonly Queue[],
    messages: readonly PreparedMessage[],
    now: number,
  ): ReadonlySet<Queue> {
    const { statements } = this;
    const touched = new Set<Queue>();
    const window = topic.duplicateDetectionWindowMs;
    let seq = statements.newestSequence.get()!.newest;
    for (const message of messages) {
      if (window > 0 && statements.accept.run(topic.name, message.messageId, now, window).changes === 0) continue;
      const scheduled = message.scheduledFor !== undefined && message.scheduledFor > now;
      for (const queue of queues) {
        if (!takes(queue, message)) continue;
        touched.add(queue);
        statements.add.run(
          queue.id,
          ++seq,
          scheduled ? SCHEDULED : READY,
          scheduled ? message.scheduledFor : null,
          scheduled ? message.scheduledFor : now,
          message.messageId,
          message.correlationId ?? null,
          message.properties,
          message.body,
        );
      }
    }
    statements.setSequence.run(seq);
    statements.forget.run(topic.name, now - window, messages.length + PURGE_EXTRA);
    for (const queue of queues) {
      if (queue.timeToLiveMs !== undefined)
        statements.dropOld.run(queue.id, messages.length + PURGE_EXTRA, now - queue.timeToLiveMs);
    }
    return touched;
  }

  /** Locks and yields the oldest ready messages. */
  take(queue: Queue, max: number, now: number): readonly MessageRow[] {
    const { statements } = this;
    for (;;) {
      const rows = this.takeReadable(queue, max, now).sort((a, b) => a.seq - b.seq);
      if (queue.timeToLiveMs === undefined) return rows;
      const oldest = now - queue.timeToLiveMs;
      const alive = rows.filter((row) => row.enqueued_at >= oldest);
      for (const row of rows)
        if (row.enqueued_at < oldest) statements.complete.run(queue.id, row.seq, row.lock_token!, now);
      if (alive.length > 0 || rows.length === 0) return alive;
    }
  }

  /**
   * Where a page of the file cannot be read, the messages are taken one by one, and those on that page are left where they
   * are: their rows get a new message from the sweep. The order of the ready ones stands in an index of its own.
   */
  private takeReadable(queue: Queue, max: number, now: number): MessageRow[] {
    const { statements, passedOver } = this;
    const until = now + queue.lockMs;
    const damaged = passedOver.get(queue.id);
    if (!damaged) {
      try {
        return statements.take.all(until, queue.id, max);
      } catch (error) {
        // A write that met the page has spoilt this transaction: the next receive goes round it.
        if (isDamaged(error)) passedOver.set(queue.id, new Set());
        throw error;
      }
    }
    const rows: MessageRow[] = [];
    const ready = statements.readySeqs.all(queue.id, Math.min(max + damaged.size, READY_LOOKED_AT_MAX));
    for (const seq of ready.filter((each) => !damaged.has(each))) {
      try {
        // Read first: what cannot be read is not written to.
        if (statements.one.get(queue.id, seq) !== undefined) rows.push(...statements.takeOne.all(until, queue.id, seq));
      } catch (error) {
        if (!isDamaged(error)) throw error;
        damaged.add(seq);
      }
    }
    return rows;
  }

  /** Whether a message can be taken, at once or after housekeeping. A plain read: it needs no write lock. */
  hasWork(queue: Queue, now: number): boolean {
    return this.statements.anyReady.get(queue.id) !== undefined || this.isDue(queue, now);
  }

  isDue(queue: Queue, now: number): boolean {
    return (this.nextDue(queue) ?? Infinity) <= now;
  }

  /** When the next scheduled message or lapsing lock comes due, in the bus' clock. */
  nextDue(queue: Queue): number | undefined {
    const scheduled = this.statements.nextDue.get(queue.id, SCHEDULED)?.due_at ?? Infinity;
    const lapsing = this.statements.nextDue.get(queue.id, LOCKED)?.due_at ?? Infinity;
    const next = Math.min(scheduled, lapsing);
    return next === Infinity ? undefined : next;
  }

  /** Makes scheduled messages ready at their time, and those whose lock lapsed; the exhausted become dead letters. */
  housekeep(queue: Queue, now: number): void {
    if (!this.isDue(queue, now)) return;
    if (queue.deadLetters !== undefined) {
      this.statements.buryExhausted.run(
        queue.deadLetters.id,
        BROKER_DEAD_LETTER_REASON,
        exhausted(queue),
        queue.id,
        now,
        HOUSEKEEPING_MAX,
        queue.deliveryCountMax,
      );
    }
    this.statements.release.run(queue.id, LOCKED, now, HOUSEKEEPING_MAX);
    this.statements.release.run(queue.id, SCHEDULED, now, HOUSEKEEPING_MAX);
  }

  /** The settling methods are false where the lock is lost. */
  complete(queue: Queue, seq: number, token: string, now: number): boolean {
    return this.statements.complete.run(queue.id, seq, token, now).changes === 1;
  }

  abandon(queue: Queue, seq: number, token: string, now: number): boolean {
    const { deadLetters } = queue;
    if (
      deadLetters !== undefined &&
      (this.statements.deliveryCount.get(queue.id, seq)?.delivery_count ?? 0) >= queue.deliveryCountMax
    ) {
      return this.deadLetter(
        queue,
        seq,
        token,
        { reason: BROKER_DEAD_LETTER_REASON, description: exhausted(queue) },
        now,
      );
    }
    return this.statements.abandon.run(queue.id, seq, token, now).changes === 1;
  }

  /** A dead letter dead-lettered again stays where it is and takes the new reason. */
  deadLetter(
    queue: Queue,
    seq: number,
    token: string,
    why: { readonly reason: string; readonly description: string },
    now: number,
  ): boolean {
    return (
      this.statements.bury.run((queue.deadLetters ?? queue).id, why.reason, why.description, queue.id, seq, token, now)
        .changes === 1
    );
  }

  renew(queue: Queue, seq: number, token: string, now: number): boolean {
    return this.statements.renew.run(now + queue.lockMs, queue.id, seq, token, now).changes === 1;
  }

  page(queue: Queue, after: number, max: number, now: number): readonly MessageRow[] {
    return this.statements.page.all(queue.id, after, now - (queue.timeToLiveMs ?? now), max);
  }

  depth(queue: Queue, now: number): SubscriptionDepth {
    const count = (id: number, state: number): number => this.statements.countWaiting.get(id, state)!.count;
    const ready = (id: number): number => this.statements.countReady.get(id)!.count;
    const dead = queue.deadLetters!.id;
    const overdue = this.statements.countOverdue.get(queue.id, now)!.count;
    return {
      active: ready(queue.id) + count(queue.id, LOCKED) + overdue,
      scheduled: count(queue.id, SCHEDULED) - overdue,
      deadLettered: ready(dead) + count(dead, LOCKED),
    };
  }
}

const exhausted = (queue: Queue): string => `received ${queue.deliveryCountMax} times without being settled`;

const takes = (queue: Queue, { eventType, target }: PreparedMessage): boolean =>
  (queue.eventType === undefined || queue.eventType === eventType) &&
  (target === undefined || target === queue.subscription);

function prepare(database: Database) {
  const locked = 'queue = ? AND seq = ? AND lock_token = ? AND due_at > ?';
  return {
    subscription: database.prepare<[string, string], { id: number }>(
      'SELECT id FROM subscription WHERE topic = ? AND name = ?',
    ),
    addSubscription: database.prepare<[string, string]>(
      'INSERT INTO subscription (topic, name) VALUES (?, ?) ON CONFLICT DO NOTHING',
    ),
    newestSequence: database.prepare<[], { newest: number }>('SELECT newest FROM sequence'),
    setSequence: database.prepare<[number]>('UPDATE sequence SET newest = ?'),
    accept: database.prepare<[string, string, number, number]>(
      `INSERT INTO accepted (topic, message_id, accepted_at) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET accepted_at = excluded.accepted_at WHERE accepted_at <= excluded.accepted_at - ?`,
    ),
    forget: database.prepare<[string, number, number]>(
      `DELETE FROM accepted WHERE (topic, message_id) IN (
         SELECT topic, message_id FROM accepted INDEXED BY accepted_by_age WHERE topic = ? AND accepted_at <= ? ORDER BY accepted_at LIMIT ?)`,
    ),
    dropOld: database.prepare<[number, number, number]>(
      `DELETE FROM message WHERE (queue, seq) IN (
         SELECT queue, seq FROM message INDEXED BY message_ready WHERE queue = ? AND state = 0 ORDER BY seq LIMIT ?) AND enqueued_at < ?`,
    ),
    add: database.prepare(
      `INSERT INTO message (queue, seq, state, due_at, delivery_count, enqueued_at, message_id, correlation_id, properties, body)
       VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`,
    ),
    take: database.prepare<[number, number, number], MessageRow>(
      `UPDATE message SET state = 2, due_at = ?, lock_token = lower(hex(randomblob(16))), delivery_count = delivery_count + 1
       WHERE (queue, seq) IN (SELECT queue, seq FROM message INDEXED BY message_ready WHERE queue = ? AND state = 0 ORDER BY seq LIMIT ?)
       RETURNING ${ROW}`,
    ),
    readySeqs: database
      .prepare<[number, number], number>(
        'SELECT seq FROM message INDEXED BY message_ready WHERE queue = ? AND state = 0 ORDER BY seq LIMIT ?',
      )
      .pluck(),
    one: database.prepare<[number, number], MessageRow>(`SELECT ${ROW} FROM message WHERE queue = ? AND seq = ?`),
    takeOne: database.prepare<[number, number, number], MessageRow>(
      `UPDATE message SET state = 2, due_at = ?, lock_token = lower(hex(randomblob(16))), delivery_count = delivery_count + 1
       WHERE queue = ? AND seq = ? AND state = 0 RETURNING ${ROW}`,
    ),
    anyReady: database.prepare<[number], { found: number }>(
      'SELECT 1 AS found FROM message INDEXED BY message_ready WHERE queue = ? AND state = 0 LIMIT 1',
    ),
    nextDue: database.prepare<[number, number], { due_at: number }>(
      'SELECT due_at FROM message INDEXED BY message_waiting WHERE queue = ? AND state = ? AND due_at IS NOT NULL ORDER BY due_at LIMIT 1',
    ),
    buryExhausted: database.prepare<[number, string, string, number, number, number, number]>(
      `UPDATE message SET queue = ?, state = 0, due_at = NULL, lock_token = NULL, reason = ?, description = ?
       WHERE (queue, seq) IN (
         SELECT queue, seq FROM (
           SELECT queue, seq, delivery_count FROM message INDEXED BY message_waiting
           WHERE queue = ? AND state = 2 AND due_at <= ? ORDER BY due_at LIMIT ?)
         WHERE delivery_count >= ?)`,
    ),
    release: database.prepare<[number, number, number, number]>(
      `UPDATE message SET state = 0, due_at = NULL, lock_token = NULL WHERE (queue, seq) IN (
         SELECT queue, seq FROM message INDEXED BY message_waiting WHERE queue = ? AND state = ? AND due_at <= ? ORDER BY due_at LIMIT ?)`,
    ),
    complete: database.prepare<[number, number, string, number]>(`DELETE FROM message WHERE ${locked}`),
    abandon: database.prepare<[number, number, string, number]>(
      `UPDATE message SET state = 0, due_at = NULL, lock_token = NULL WHERE ${locked}`,
    ),
    deliveryCount: database.prepare<[number, number], { delivery_count: number }>(
      'SELECT delivery_count FROM message WHERE queue = ? AND seq = ?',
    ),
    bury: database.prepare<[number, string, string, number, number, string, number]>(
      `UPDATE message SET queue = ?, state = 0, due_at = NULL, lock_token = NULL, reason = ?, description = ? WHERE ${locked}`,
    ),
    renew: database.prepare<[number, number, number, string, number]>(`UPDATE message SET due_at = ? WHERE ${locked}`),
    page: database.prepare<[number, number, number, number], MessageRow>(
      `SELECT ${ROW} FROM message WHERE queue = ? AND seq > ? AND enqueued_at >= ? ORDER BY seq LIMIT ?`,
    ),
    countReady: database.prepare<[number], { count: number }>(
      'SELECT count(*) AS count FROM message INDEXED BY message_ready WHERE queue = ? AND state = 0',
    ),
    countWaiting: database.prepare<[number, number], { count: number }>(
      'SELECT count(*) AS count FROM message INDEXED BY message_waiting WHERE queue = ? AND state = ? AND due_at IS NOT NULL',
    ),
    countOverdue: database.prepare<[number, number], { count: number }>(
      'SELECT count(*) AS count FROM message INDEXED BY message_waiting WHERE queue = ? AND state = 1 AND due_at <= ?',
    ),
  };
}
