import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/system/system-clock';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { demoFiles } from '../demo/demo-plan';
import { isProved } from '../demo/proof';
import { freePort } from '../demo/sandbox-process';
import { processName } from '../processes/run-process';
import { type CrashCase } from './crash-cases';
import { crashSettings, seedCrashTest } from './crash-data-set';
import { type Arming, containerOf, CrashRun } from './crash-run';
import { redriveAll, resolveAll, runCommand } from './operator-hand';
import { letAnHourPass, prepareCase } from './prepare-case';

export interface CaseResult {
  readonly name: string;
  readonly turn: number;
  /** How many processes killed themselves there; none fails the run. */
  readonly reached: number;
  readonly records: number;
  readonly lost: number;
  readonly doubled: number;
  readonly differing: number;
  readonly seconds: number;
  /** Undefined: proved. */
  readonly failure: string | undefined;
  /** Where the data lies, kept for a look at what failed. */
  readonly folder: string;
}

const PROBLEMS_SHOWN_MAX = 5;
/** Many whose doubts go to a person, with and without an effect at the biller. */
const DOUBTFUL = {
  quotas: { rejected: 2, 'delivered-keys': 4, 'delivered-inquiry': 4, 'delivered-neither': 20 },
  faults: { 'error-500-before-effect': 0.3, 'error-500-after-effect': 0.1 },
};
const CHANGED_PAYMENTS = 4;

/**
 * A fresh data set, the process killed at the point, started again, everything drained, then the proof. It dies when it
 * passes the point for the `occurrence`-th time; by default the turn says which.
 */
export async function runCase(
  crash: CrashCase,
  turn: number,
  folderOfAll: string,
  occurrence?: number,
): Promise<CaseResult> {
  const began = performance.now();
  const folder = join(folderOfAll, `${crash.name.replace('@', '-')}-${turn}`);
  const run = await openRun(crash, turn, folder);
  const result = {
    name: crash.name,
    turn,
    reached: 0,
    records: run.data.records.length,
    lost: 0,
    doubled: 0,
    differing: 0,
    folder,
  };
  const ended = (failure: string | undefined) => ({ seconds: (performance.now() - began) / 1_000, failure });
  try {
    await run.open();
    await killAndDrain(run, crash, occurrence ?? (crash.firstTimeOnly ? 1 : turn));
    const proof = await run.prove();
    const { lost, doubled, differing } = proof;
    const reached = run.reached(crash.point);
    const suspected = proof.attemptEvents['DoublePostSuspected'] ?? 0;
    const problems = [
      ...(reached === 0 ? ['the point was never reached'] : []),
      ...(isProved(proof) ? [] : [`not proved: ${lost} lost, ${doubled} doubled, ${differing} differ`]),
      ...(suspected > 0 ? [`${suspected} double posts suspected`] : []),
      ...proof.differences.slice(0, PROBLEMS_SHOWN_MAX).map(({ record, text }) => `${record}: ${text}`),
    ];
    return {
      ...result,
      reached,
      lost,
      doubled,
      differing,
      ...ended(problems.length > 0 ? problems.join('\n  ') : undefined),
    };
  } catch (error) {
    return { ...result, reached: run.reached(crash.point), ...ended((error as Error).message) };
  } finally {
    await run.close();
  }
}

async function openRun(crash: CrashCase, turn: number, folder: string): Promise<CrashRun> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = demoFiles(folder);
  const dataTypes: readonly [DataType, DataType] = [
    'Payments',
    DATA_TYPES.filter((type) => type !== 'Payments')[turn % 3]!,
  ];
  const settings = crashSettings(files, { sweeping: crash.sweeping });
  const data = await seedCrashTest(files, {
    seed: turn,
    sandboxPort: await freePort(Math.random),
    startedAt: new SystemClock().now(),
    dataTypes,
    changedPayments: crash.preparation === 'changed-payments' ? CHANGED_PAYMENTS : 0,
    settings,
    ...(crash.afterwards === 'resolve' ? DOUBTFUL : {}),
  });
  return new CrashRun(files, data, containerOf(files), dataTypes, settings);
}

async function killAndDrain(run: CrashRun, crash: CrashCase, occurrence: number): Promise<void> {
  const armedWith = `${crash.point}#${occurrence}`;
  await prepareCase(run, crash.preparation);
  if (crash.actor === 'supervisor') await runCommand(run, ['run', 'all'], armedWith);
  if (crash.sweeping) run.onKill = () => letAnHourPass(run);
  await run.while(run.processes, armingOf(crash, armedWith), async () => {
    await run.untilDrained();
    if (crash.afterwards === 'nothing') return;
    const order = crash.afterwards === 'redrive' ? redriveAll : resolveAll;
    await order(run, crash.actor === crash.afterwards ? armedWith : undefined);
    await run.untilDrained();
  });
}

function armingOf({ actor, preparation }: CrashCase, armedWith: string): Arming {
  const armed = typeof preparation === 'object' ? [preparation.killedAt, armedWith] : [armedWith];
  return (process) => (isArmed(actor, process) ? armed : []);
}

function isArmed(actor: CrashCase['actor'], process: string): boolean {
  if (actor === 'consumers')
    return DATA_TYPES.some((dataType) => processName({ process: 'consumer', dataType }) === process);
  return actor === process;
}
