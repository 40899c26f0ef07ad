import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { deliveryAttemptStream } from '../../src/domain/identifiers';
import { Books, ConsumerProcesses } from '../support/consumer-processes';
import { type ScriptedBiller, startScriptedBiller } from '../support/scripted-biller';
import { until, WHOLE_RUN_MS } from '../support/until';

/** A lock and a deadline lapse, and a process starts. */
const SETTLED_WITHIN_MS = 180_000;

describe('two consumers of one subscription, one frozen past lock and deadline in the middle of its attempts', () => {
  let biller: ScriptedBiller;
  let processes: ConsumerProcesses;

  afterEach(async () => {
    processes.kill();
    await biller.close();
    rmSync(processes.folder, { recursive: true, force: true });
  });

  it(
    'posts nothing twice and loses nothing, with keys, with inquiry and with neither',
    async () => {
      biller = await startScriptedBiller();
      processes = new ConsumerProcesses(mkdtempSync(join(tmpdir(), 'frozen-')), biller.baseUrl, 1);
      const books = new Books();
      books.hold();
      biller.react = books.react;
      await processes.publish();

      const frozen = processes.start();
      await until(
        'the first consumer is in the middle of its attempts',
        () => books.heldAnswers() === processes.records.length,
      );
      frozen.kill('SIGSTOP');
      books.release();
      processes.start();
      // Longer than lock, deadline and quarantine: the second consumer gets the messages and resolves what it may.
      await until(
        'the second consumer settled every record it can',
        async () => (await processes.statuses()).join() === 'Delivered,Delivered,InDoubt',
        SETTLED_WITHIN_MS,
      );
      frozen.kill('SIGCONT');
      // The thawed owner finds its answers: where nobody could know, it now does.
      await until(
        'every record is delivered',
        async () => (await processes.statuses()).join() === 'Delivered,Delivered,Delivered',
        SETTLED_WITHIN_MS,
      );

      expect([...books.effects.entries()].sort()).toEqual(processes.records.map((record) => [record, 1]));
      expect(await suspicions()).toEqual([]);
    },
    WHOLE_RUN_MS,
  );

  async function suspicions(): Promise<readonly string[]> {
    const eventStore = new SqliteEventStore({ path: join(processes.folder, 'event-store.sqlite') });
    const events = (
      await Promise.all(processes.records.map((record) => eventStore.readStream(deliveryAttemptStream(record, 1))))
    ).flat();
    await eventStore.close();
    expect(events.length).toBeGreaterThan(processes.records.length);
    return events.filter(({ type }) => type === 'DoublePostSuspected').map(({ stream }) => stream);
  }
});
