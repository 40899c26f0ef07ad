import { TOKENS } from '../container/tokens';
import { processName } from '../processes/run-process';
import { type Supervised } from '../processes/supervise';
import { type CrashRun, UNARMED } from './crash-run';
import { countAttempts, letRowsBeDue, openRestartRun, settled } from './restart-run';
import { failureOf, problemsOf, type Trial } from './trial';

const ROUNDS = 2;
/** Rows become due portion by portion: whoever is told to stop has work, however slow the machine. */
const PORTION_PER_SHARD = 24;

/**
 * Tells each process in turn to stop, as a deployment would, while records are on their way, and starts it again. No
 * fault happens, so every record must have one attempt, and every attempt its answer.
 */
export const rollingRestart: Trial = {
  name: 'rolling-restart',
  turn: 1,
  async run(options) {
    const run = await openRestartRun(options);
    const ends: number[] = [];
    let idle = 0;
    try {
      await run.open();
      await run.while(run.processes, UNARMED, async (supervised) => {
        let due = 0;
        for (const kind of Array.from({ length: ROUNDS }, () => run.processes).flat()) {
          const name = processName(kind);
          const before = await settled(run);
          await run.until(`${name} has started`, () => run.hasStarted(supervised.running().get(name) ?? 0));
          due += letRowsBeDue(run, PORTION_PER_SHARD);
          // A consumer in the middle of its calls; the others while rows are new.
          if (kind.process === 'consumer')
            await run.until('some of the new records are delivered', async () => (await settled(run)) > before);
          if ((await settled(run)) === due) idle++;
          ends.push(await stopOne(run, supervised, name));
        }
        letRowsBeDue(run, run.data.records.length);
        await run.untilDrained();
      });
      const { attempts, repeated, open } = await countAttempts(run);
      const proof = await run.prove();
      const problems = [
        ...(idle > 0 ? [`${idle} processes were told to stop when nothing was under way`] : []),
        ...(attempts === proof.records ? [] : [`${attempts} attempts for ${proof.records} records`]),
        ...(repeated > 0 ? [`${repeated} records had more than one attempt`] : []),
        ...(open > 0 ? [`${open} attempts have no answer`] : []),
        ...problemsOf(proof),
      ];
      return {
        kills: 0,
        restarts: ends.length,
        records: proof.records,
        lost: proof.lost,
        doubled: proof.doubled,
        doubts: proof.doubts,
        note: `${attempts} attempts, ${repeated} repeated; the slowest stop took ${Math.max(0, ...ends)} ms`,
        failure: failureOf(problems),
      };
    } finally {
      await run.close();
    }
  },
};

/** SIGTERM, its end with exit code 0, and a new one that runs; how long it took to end. */
async function stopOne(run: CrashRun, supervised: Supervised, name: string): Promise<number> {
  const clock = run.container.get(TOKENS.clock);
  const pid = supervised.running().get(name)!;
  const asked = clock.monotonicMs();
  let stoppedAt: number | undefined;
  run.onEnd = (process, code) => {
    if (process !== name || code !== 0) return false;
    stoppedAt = clock.monotonicMs();
    return true;
  };
  process.kill(pid, 'SIGTERM');
  await run.until(`${name} stops and is started again`, () => {
    const next = supervised.running().get(name);
    return stoppedAt !== undefined && next !== undefined && next !== pid && run.hasStarted(next);
  });
  return Math.round(stoppedAt! - asked);
}
