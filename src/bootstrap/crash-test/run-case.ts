import { makePrivateFolder } from '../../adapters/system/private-folder';
import { SystemClock } from '../../adapters/system/system-clock';
import { DATA_TYPES } from '../../domain/biller/data-type';
import { demoFiles } from '../demo/demo-plan';
import { processName } from '../processes/run-process';
import { type CrashCase, dataTypeOf } from './crash-cases';
import { crashSettings, seedCrashTest } from './crash-data-set';
import { type Arming, containerOf, CrashRun, UNARMED } from './crash-run';
import { redriveAll, resolveAll, runCommand } from './operator-hand';
import { letAnHourPass, prepareCase } from './prepare-case';
import { ownPort } from './own-port';
import { failureOf, problemsOf, type Trial, type TrialOptions } from './trial';

/** Many whose doubts go to a person, with and without an effect at the biller. */
const DOUBTFUL = {
  quotas: { rejected: 2, 'delivered-keys': 4, 'delivered-inquiry': 4, 'delivered-neither': 20 },
  faults: { 'error-500-before-effect': 0.3, 'error-500-after-effect': 0.1 },
};
const CHANGED_PAYMENTS = 4;

/**
 * A fresh data set, the process killed at the point, started again, everything drained, then the proof. It dies when it
 * passes the point for the `occurrence`-th time; by default the turn says which. Not killed: the trial has failed.
 */
export const caseTrial = (crash: CrashCase, turn: number, occurrence: number | undefined): Trial => ({
  name: crash.name,
  turn,
  async run(options) {
    const run = await openRun(crash, turn, options);
    try {
      await run.open();
      await killAndDrain(run, crash, occurrence ?? (crash.firstTimeOnly ? 1 : turn));
      const proof = await run.prove();
      const kills = run.reached(crash.point);
      const unreached = kills === 0 ? ['the point was never reached'] : [];
      const { records, lost, doubled, doubts } = proof;
      const failure = failureOf([...unreached, ...problemsOf(proof)]);
      return { kills, restarts: run.restarts, records, lost, doubled, doubts, failure };
    } finally {
      await run.close();
    }
  },
});

async function openRun(crash: CrashCase, turn: number, { folder, seed, signal }: TrialOptions): Promise<CrashRun> {
  makePrivateFolder(folder);
  const files = demoFiles(folder);
  const dataTypes = [dataTypeOf(crash, turn)];
  const settings = crashSettings(files, { sweeping: crash.sweeping });
  const data = await seedCrashTest(files, {
    seed: seed + turn,
    sandboxPort: await ownPort(),
    startedAt: new SystemClock().now(),
    dataTypes,
    changedPayments: crash.preparation === 'changed-payments' ? CHANGED_PAYMENTS : 0,
    settings,
    ...(crash.afterwards === 'resolve' ? DOUBTFUL : {}),
  });
  return new CrashRun(files, data, containerOf(files), dataTypes, settings, signal);
}

async function killAndDrain(run: CrashRun, crash: CrashCase, occurrence: number): Promise<void> {
  const armedWith = `${crash.point}#${occurrence}`;
  await prepareCase(run, crash.preparation);
  if (crash.actor === 'supervisor') await runCommand(run, ['run', 'all'], armedWith);
  let arming = armingOf(crash, armedWith);
  if (crash.preparation === 'consumer-first') {
    await run.while(run.consumers, arming, (supervised) =>
      run.until('the consumer was killed and runs again', () => supervised.restarts() > 0),
    );
    arming = UNARMED;
  }
  if (crash.sweeping) run.onKill = run.onStandstill = () => letAnHourPass(run);
  await run.while(run.processes, arming, async () => {
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
  if (actor === 'consumer')
    return DATA_TYPES.some((dataType) => processName({ process: 'consumer', dataTypes: [dataType] }) === process);
  return actor === process;
}
