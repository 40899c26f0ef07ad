import { PortFailure } from '../../../../src/application/ports/failures';
import { Database } from '../../../../src/adapters/shared/sqlite-driver';

/** The embedded bus' queues of a topic, but for their dead letters (src/adapters/sqlite/sqlite-message-bus-tables.ts). */
const OF_TOPIC = 'queue IN (SELECT 2 * id FROM subscription WHERE topic = ?)';
const SCHEDULED = 1;

/**
 * Finds and cancels what waits for its time in the file of an embedded bus, which itself cannot: its users need neither.
 * A message has a copy per subscription there; the newest copy's number stands for all of them.
 */
export class ScheduledMessages {
  private readonly database;

  constructor(path: string) {
    this.database = new Database(path, { fileMustExist: true, timeout: 5_000 });
  }

  /** Undefined: no subscription took it, or it is received and gone. */
  numberOf(topic: string, messageId: string): number | undefined {
    const select = `SELECT max(seq) AS number FROM message WHERE ${OF_TOPIC} AND message_id = ?`;
    return (this.database.prepare(select).get(topic, messageId) as { number: number | null }).number ?? undefined;
  }

  /** All or none. */
  cancel(topic: string, numbers: readonly bigint[], now: number): void {
    const remove = this.database.prepare(
      `DELETE FROM message WHERE ${OF_TOPIC} AND state = ${SCHEDULED} AND due_at > ? AND message_id =
         (SELECT message_id FROM message WHERE ${OF_TOPIC} AND seq = ?)`,
    );
    this.database
      .transaction(() => {
        for (const number of numbers)
          if (remove.run(topic, now, topic, number).changes === 0)
            throw new PortFailure(`no message ${number} is scheduled in topic ${topic}`, {
              code: 'not-found',
              retryable: false,
            });
      })
      .immediate();
  }

  close(): void {
    this.database.close();
  }
}
