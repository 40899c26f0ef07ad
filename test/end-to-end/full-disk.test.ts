import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Books, ConsumerProcesses } from '../support/consumer-processes';
import { type ScriptedBiller, startScriptedBiller } from '../support/scripted-biller';
import { until, WHOLE_RUN_MS } from '../support/until';

/** A disk of its own that can be filled without harm: needs the right to mount. */
function mountSmallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=700', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

const FULL_FOR_MS = 4_000;
const DELIVERED_WITHIN_MS = 300_000;
/** No call may run out of time while the disk is being filled, however busy the machine is. */
const PATIENT_WAITS = { timeoutSeconds: 20, lockSeconds: 40 };

const disk = mountSmallDisk();
const suite = disk === undefined ? describe.skip : describe;

suite(
  `a full disk under a consumer${disk === undefined ? ' (not run: this user may not mount a small disk)' : ''}`,
  () => {
    let biller: ScriptedBiller;
    let processes: ConsumerProcesses;

    afterAll(async () => {
      processes.kill();
      await biller.close();
      await until('the small disk is unmounted', () => {
        try {
          execFileSync('umount', [disk!], { stdio: 'ignore' });
          return true;
        } catch {
          return false;
        }
      });
      rmSync(disk!, { recursive: true });
    });

    it(
      'is said clearly, and once there is room again everything is delivered once',
      async () => {
        biller = await startScriptedBiller();
        const books = new Books();
        biller.react = books.react;
        processes = new ConsumerProcesses(disk!, biller.baseUrl, 40, PATIENT_WAITS);
        await processes.publish();

        const filler = join(disk!, 'filler');
        let log = '';
        books.hold();
        processes.start((line) => (log += line));
        await until('the consumer is in the middle of its attempts', () => books.heldAnswers() >= 20);
        fill(filler);
        books.release();
        await until('the consumer says that the disk is full', () => /storage-full/.test(log)).catch((error: Error) => {
          throw new Error(`${error.message}; it said: ${log.slice(-2_000)}`);
        });
        expect(log).toMatch(/free (some )?space|make room/i);
        // Longer than any short repetition: what a call came to must outlast it.
        await new Promise((resolve) => setTimeout(resolve, FULL_FOR_MS));
        rmSync(filler);
        await until(
          'every record is delivered',
          async () => (await processes.statuses()).every((status) => status === 'Delivered'),
          DELIVERED_WITHIN_MS,
        );
        expect([...books.effects.entries()].sort()).toEqual([...processes.records].sort().map((record) => [record, 1]));
      },
      WHOLE_RUN_MS,
    );

    function fill(file: string): void {
      const { bavail, bsize } = statfsSync(disk!);
      writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - 64 * 1024)));
    }
  },
);
