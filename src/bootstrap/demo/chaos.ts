import { type SqliteManifest } from '../../adapters/sqlite/sqlite-manifest';
import { type Clock } from '../../application/ports/clock';
import { plusMs } from '../../domain/instant';
import { type SandboxProcess } from './sandbox-process';
import { seededRandom } from './seeded-random';

export interface ChaosOptions {
  readonly seed: number;
  readonly records: number;
  readonly clock: Clock;
  readonly manifest: SqliteManifest;
  /** The processes that may be killed, now. */
  readonly running: () => ReadonlyMap<string, number>;
  readonly sandbox: SandboxProcess;
  /** Share of the records that have their end, 0 to 1. */
  readonly progress: () => number;
  readonly signal: AbortSignal;
}

const RECORDS_PER_KILL = 800;
const KILLS_MIN = 12;
/** All kills happen while at least this share of the work is still to be done. */
const REST = 0.1;
const LOOK_MS = 100;
const GAP_MIN_MS = 250;
const GAP_MAX_MS = 1_700;
const SANDBOX_SHARE = 0.12;
/** At the beginning only scanner and fetcher have work, so they are the ones to hit then. */
const FIRST_KILLS = 4;

/** Kills at random, spread over the work by time and by progress. Returns when it has killed enough or the signal aborts. */
export async function killAtRandom(options: ChaosOptions): Promise<void> {
  const { clock, signal, manifest } = options;
  const random = seededRandom(options.seed ^ 0x6b696c6c);
  const kills = Math.max(KILLS_MIN, Math.ceil(options.records / RECORDS_PER_KILL));
  for (let killed = 0; killed < kills && !signal.aborted;) {
    const notBefore = clock.monotonicMs() + GAP_MIN_MS;
    const dueAt = notBefore + random.fraction() * (GAP_MAX_MS - GAP_MIN_MS);
    const isDue = (): boolean =>
      clock.monotonicMs() >= dueAt ||
      (clock.monotonicMs() >= notBefore && options.progress() >= ((killed + random.fraction()) / kills) * (1 - REST));
    while (!signal.aborted && !isDue()) await clock.sleep(LOOK_MS, signal);
    if (signal.aborted) return;
    const from = clock.now();
    const victim =
      random.fraction() < SANDBOX_SHARE ? 'sandbox' : pick(options.running(), random, killed < FIRST_KILLS);
    if (victim === undefined) continue;
    // Written before it happens: what the kill does to a record must find its cause here, even if the demo dies next.
    manifest.addKill({ process: victim, from, to: plusMs(from, LOOK_MS), cause: 'chaos' });
    killed++;
    if (victim === 'sandbox') await options.sandbox.killAndRestart();
    else killNow(options.running().get(victim));
  }
}

function pick(
  running: ReadonlyMap<string, number>,
  random: { below(end: number): number },
  early: boolean,
): string | undefined {
  const all = [...running.keys()].sort();
  const names = early ? all.filter((name) => name === 'scanner' || name === 'fetcher') : all;
  return names[random.below(names.length)];
}

function killNow(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself a moment ago.
  }
}
