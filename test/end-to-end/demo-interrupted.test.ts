import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SqliteManifest, type Child } from '../../src/adapters/sqlite/sqlite-manifest';
import { startTicksOf } from '../../src/bootstrap/demo/process-table';
import { newDemoFolder, removeDemoFolder, RunningDemo } from '../support/running-demo';
import { until, WHOLE_RUN_MS } from '../support/until';

/** 12 billers take 180 calls a second at most: seconds of work, of which little is done when the first effects are booked. */
const RECORDS = 800;
const PACED = ['--records', String(RECORDS), '--per-second', '15'];
const EFFECTS_FIRST = 10;

function childrenOf(folder: string): readonly Child[] {
  const manifest = new SqliteManifest({ path: join(folder, 'manifest.sqlite') });
  const children = manifest.children();
  manifest.close();
  return children;
}

const alive = (children: readonly Child[]): readonly Child[] =>
  children.filter(({ pid, startTicks }) => startTicksOf(pid) === startTicks);

/** Eight processes start and meet their first records; a busy machine takes its time. */
const STARTED_WITHIN_MS = 300_000;

/** A demo in the middle of its work. */
async function workingDemo(folder: string): Promise<RunningDemo> {
  const running = new RunningDemo(folder, PACED);
  await until('the first effects are booked', () => effectsIn(folder) >= EFFECTS_FIRST, STARTED_WITHIN_MS);
  return running;
}

function effectsIn(folder: string): number {
  const file = join(folder, 'sandbox-ledger.sqlite');
  if (!existsSync(file)) return 0;
  const ledger = new Database(file, { readonly: true });
  try {
    return ledger.prepare('SELECT count(*) FROM effects').pluck().get() as number;
  } catch {
    return 0; // Its tables are not there yet.
  } finally {
    ledger.close();
  }
}

describe('an interrupted demo', () => {
  it(
    'leaves no process behind when it is killed, says how to go on, and is continued to its proof',
    async () => {
      const folder = newDemoFolder();
      const running = await workingDemo(folder);
      const children = childrenOf(folder);
      // Sandbox, scanner, fetcher and a consumer a core.
      expect(alive(children).length).toBe(3 + Math.min(4, availableParallelism()));
      running.kill();
      expect((await running.ended).signal).toBe('SIGKILL');
      await until('every process of the demo is gone', () => alive(children).length === 0);

      const without = await new RunningDemo(folder, ['--records', String(RECORDS)]).ended;
      expect(without.code).toBe(2);
      expect(without.errors).toMatch(/not finished: continue it with --resume, or start over with --fresh/);

      const resumed = await new RunningDemo(folder, ['--resume', '--json']).ended;
      removeDemoFolder(folder);
      const told = JSON.parse(resumed.output) as {
        proved: boolean;
        records: number;
        differences: unknown;
        kills: readonly { cause: string }[];
      };
      expect({ code: resumed.code, proved: told.proved, records: told.records, differences: told.differences }).toEqual(
        { code: 0, proved: true, records: RECORDS, differences: [] },
      );
      expect(told.kills.map(({ cause }) => cause)).toEqual(['interruption']);
    },
    WHOLE_RUN_MS,
  );

  it(
    'stops what it started on Ctrl-C, and is continued to its proof',
    async () => {
      const folder = newDemoFolder();
      const running = await workingDemo(folder);
      const children = childrenOf(folder);
      running.pressCtrlC();
      const ended = await running.ended;
      expect(ended.code).toBe(1);
      expect(ended.errors).toMatch(/interrupted; continue with --resume/);
      expect(alive(children)).toEqual([]);
      const resumed = await new RunningDemo(folder, ['--resume']).ended;
      removeDemoFolder(folder);
      expect(resumed.code).toBe(0);
      expect(resumed.output).toMatch(new RegExp(`^PROVED: ${RECORDS} records`, 'm'));
    },
    WHOLE_RUN_MS,
  );

  it(
    'stops a process that was left behind, and no other that got its id',
    async () => {
      const folder = newDemoFolder();
      const running = await workingDemo(folder);
      running.kill();
      await running.ended;
      const manifest = new SqliteManifest({ path: join(folder, 'manifest.sqlite') });
      // This test's own process, under a name that is not ours and with a start time that is not its own.
      manifest.addChild({ name: 'scanner', pid: process.pid, startTicks: startTicksOf(process.pid)! });
      manifest.close();
      const fresh = await new RunningDemo(folder, ['--fresh', '--records', '50', '--faults', 'off']).ended;
      removeDemoFolder(folder);
      expect(fresh.code).toBe(0);
    },
    WHOLE_RUN_MS,
  );

  it('is not taken for one where the folder holds something else', async () => {
    const folder = newDemoFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(resolve(folder, 'letter.txt'), 'do not delete');
    const ended = await new RunningDemo(folder, ['--fresh']).ended;
    const kept = existsSync(resolve(folder, 'letter.txt'));
    removeDemoFolder(folder);
    expect({ code: ended.code, kept }).toEqual({ code: 3, kept: true });
    expect(ended.errors).toMatch(/is not empty and holds no demo/);
  });

  it('cannot be continued where there is none', async () => {
    const folder = newDemoFolder();
    const ended = await new RunningDemo(folder, ['--resume']).ended;
    removeDemoFolder(folder);
    expect(ended.code).toBe(2);
    expect(ended.errors).toMatch(/--resume: there is no demo in/);
  });
});
