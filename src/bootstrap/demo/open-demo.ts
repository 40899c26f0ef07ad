import { existsSync, readdirSync, rmSync } from 'node:fs';
import { SqliteManifest } from '../../adapters/sqlite/sqlite-manifest';
import { makePrivateFolder } from '../../adapters/system/private-folder';
import { type Clock } from '../../application/ports/clock';
import { type Instant } from '../../domain/instant';
import { RefusedForSafety, UsageProblems } from '../command-line/problems';
import { type DemoChoices, type DemoFiles, type DemoPlan } from './demo-plan';
import { runsProgram, startTicksOf } from './process-table';
import { freePort } from './sandbox-process';

/**
 * Where a demo stands, in its manifest; each step is repeated until it was finished:
 *   seeding → running → drained (proved as often as one likes)
 */
export type DemoPhase = 'seeding' | 'running' | 'drained';

export interface OpenedDemo {
  readonly manifest: SqliteManifest;
  readonly plan: DemoPlan;
}

export interface OpenDemoOrder {
  readonly files: DemoFiles;
  readonly choices: DemoChoices;
  readonly resume: boolean;
  readonly fresh: boolean;
  readonly clock: Clock;
}

const ORPHAN_WAIT_MS = 20_000;
const ORPHAN_LOOK_MS = 100;

export const phaseOf = (manifest: SqliteManifest): DemoPhase => (manifest.state('phase') ?? 'seeding') as DemoPhase;
export const setPhase = (manifest: SqliteManifest, phase: DemoPhase): void => manifest.setState('phase', phase);

/** A new demo, or the one that lies there; never a guess which of the two was meant. */
export async function openDemo(order: OpenDemoOrder): Promise<OpenedDemo> {
  const { files, resume, fresh, clock } = order;
  if (resume && fresh) throw new UsageProblems(['--resume and --fresh: expected one of the two']);
  const known = existsSync(files.manifest);
  if (!known && resume) throw new UsageProblems([`--resume: there is no demo in ${files.folder}`]);
  if (!known && existsSync(files.folder) && readdirSync(files.folder).length > 0) {
    throw new RefusedForSafety(`${files.folder} is not empty and holds no demo; name another folder with --data`);
  }
  if (!known) return newDemo(order);
  const manifest = openManifest(files);
  try {
    const plan = storedPlan(manifest);
    const finished = plan !== undefined && phaseOf(manifest) === 'drained';
    if (resume) {
      if (!plan)
        throw new UsageProblems([
          `--resume: the demo in ${files.folder} was interrupted before it had a plan; start over with --fresh`,
        ]);
      await endOrphans(manifest, clock);
      return { manifest, plan };
    }
    if (!finished && !fresh) {
      throw new UsageProblems([
        `${files.folder} holds a demo that is not finished: continue it with --resume, or start over with --fresh`,
      ]);
    }
    await endOrphans(manifest, clock);
  } catch (error) {
    manifest.close();
    throw error;
  }
  manifest.close();
  rmSync(files.folder, { recursive: true, force: true });
  return newDemo(order);
}

/** For looking at a finished demo again. */
export function openFinishedDemo(files: DemoFiles): OpenedDemo {
  if (!existsSync(files.manifest)) throw new UsageProblems([`there is no demo in ${files.folder}`]);
  const manifest = openManifest(files);
  const plan = storedPlan(manifest);
  if (plan) return { manifest, plan };
  manifest.close();
  throw new UsageProblems([`the demo in ${files.folder} has no plan yet`]);
}

async function newDemo({ files, choices, clock }: OpenDemoOrder): Promise<OpenedDemo> {
  makePrivateFolder(files.folder);
  const plan: DemoPlan = { ...choices, sandboxPort: await freePort(Math.random), startedAt: clock.now() };
  const manifest = openManifest(files);
  manifest.setState('plan', JSON.stringify(plan));
  setPhase(manifest, 'seeding');
  return { manifest, plan };
}

const openManifest = (files: DemoFiles): SqliteManifest => new SqliteManifest({ path: files.manifest });

function storedPlan(manifest: SqliteManifest): DemoPlan | undefined {
  const text = manifest.state('plan');
  return text === undefined ? undefined : (JSON.parse(text) as DemoPlan);
}

/**
 * Processes of a demo that was killed end by themselves, since their standard input ended. Whoever is left is told to
 * stop, then killed: but only a process with the id and the start time that the manifest noted, running our program.
 * What they may have been in the middle of counts as a kill.
 */
async function endOrphans(manifest: SqliteManifest, clock: Clock): Promise<void> {
  const left = manifest
    .children()
    .filter(
      ({ pid, startTicks }) =>
        startTicksOf(pid) === startTicks && OUR_PROGRAMS.some((program) => runsProgram(pid, program)),
    );
  const alive = () => left.filter(({ pid, startTicks }) => startTicksOf(pid) === startTicks);
  for (const { pid } of alive()) signalTo(pid, 'SIGTERM');
  for (const until = clock.monotonicMs() + ORPHAN_WAIT_MS; alive().length > 0;) {
    if (clock.monotonicMs() > until) for (const { pid } of alive()) signalTo(pid, 'SIGKILL');
    await clock.sleep(ORPHAN_LOOK_MS);
  }
  const lastSeen = manifest.state('last-seen') as Instant | undefined;
  if (phaseOf(manifest) === 'running' && lastSeen !== undefined)
    manifest.addKill({ process: 'all', from: lastSeen, to: clock.now(), cause: 'interruption' });
  manifest.forgetChildren();
}

const OUR_PROGRAMS = ['command-line.main.js', 'sandbox-biller.main.js'];

function signalTo(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
