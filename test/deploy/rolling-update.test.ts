import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type * as RestartRun from '../../src/bootstrap/crash-test/restart-run';
import { problemsOf } from '../../src/bootstrap/crash-test/trial';
import { ROOT } from '../architecture/source-files';
import { demandBuilt } from '../support/command-line';
import { WHOLE_RUN_MS } from '../support/until';
import { Pod } from './pods';

jest.setTimeout(WHOLE_RUN_MS);

const MANIFESTS = join(ROOT, 'deploy/kubernetes/base');
const PORTION_PER_SHARD = 30;

/** The times of the manifests: the lock, how long a stop may take, and when the cluster loses its patience. */
function times() {
  const settings = readFileSync(join(MANIFESTS, 'settings.env'), 'utf8');
  const number = (name: string): number => Number(new RegExp(`^${name}=(\\d+)$`, 'm').exec(settings)![1]);
  const service = parse(readFileSync(join(MANIFESTS, 'service.yaml'), 'utf8')) as {
    spec: { template: { spec: { terminationGracePeriodSeconds: number } } };
  };
  return {
    settings: {
      'Bus:LockSeconds': number('Bus__LockSeconds'),
      'Supervisor:StopSeconds': number('Supervisor__StopSeconds'),
    },
    graceSeconds: service.spec.template.spec.terminationGracePeriodSeconds,
  };
}

/** As it is built: it starts programs that lie beside it. */
const built = (): typeof RestartRun =>
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- it may not be built yet where this is read
  require('../../dist/bootstrap/crash-test/restart-run') as typeof RestartRun;

const SCANNER = ['run', 'scanner'];
const FETCHER = ['run', 'fetcher'];
const PAYMENTS = ['run', 'consumer', '--type', 'payments'];
const PAPERLESS = ['run', 'consumer', '--type', 'paperless'];

it('a rolling update and a scale-in under load repeat no attempt and leave none in doubt', async () => {
  demandBuilt();
  const { countAttempts, letRowsBeDue, openRestartRun, settled } = built();
  const { settings, graceSeconds } = times();
  const folder = mkdtempSync(join(tmpdir(), 'datapump-rolling-update-'));
  const run = await openRestartRun(
    { folder: join(folder, 'run'), seed: 1, signal: new AbortController().signal },
    settings,
  );
  const stopped: { readonly what: string; readonly ended: Pod['ended'] }[] = [];
  const running = new Set<Pod>();
  const start = async (words: readonly string[]): Promise<Pod> => {
    const pod = await Pod.start(words, run.environment, run.logFile);
    running.add(pod);
    return pod;
  };
  const stop = (pod: Pod): void => {
    running.delete(pod);
    pod.stop(graceSeconds);
    stopped.push({ what: pod.words.join(' '), ended: pod.ended });
  };
  let due = 0;
  let idle = 0;
  /** Rows become due and some of them are delivered: whoever is stopped now has work in hand. */
  const load = async (): Promise<void> => {
    const before = await settled(run);
    due += letRowsBeDue(run, PORTION_PER_SHARD);
    await run.until('some of the new records are delivered', async () => (await settled(run)) > before);
    if ((await settled(run)) === due) idle++;
  };
  try {
    await run.open();
    const services = await Promise.all(
      [SCANNER, SCANNER, FETCHER, FETCHER, PAYMENTS, PAYMENTS, PAYMENTS, PAPERLESS].map(start),
    );
    await Promise.all(services.map((pod) => pod.becomesReady()));
    // maxSurge and maxUnavailable 0: the new one is ready before the old one is told to stop, and nobody waits for its end.
    for (const old of services) {
      const next = await start(old.words);
      await next.becomesReady();
      await load();
      stop(old);
    }
    // KEDA needs one consumer of payments alone now, and says so while they are busy.
    await load();
    for (const pod of [...running].filter(({ words }) => words === PAYMENTS).slice(1)) stop(pod);
    due += letRowsBeDue(run, run.data.records.length);
    await run.untilDrained();
    const ends = await Promise.all(stopped.map(async ({ what, ended }) => ({ what, ...(await ended) })));
    expect(ends.filter(({ code, killed }) => code !== 0 || killed)).toEqual([]);
    expect(ends).toHaveLength(services.length + 2);
    expect(idle).toBe(0);
    const { attempts, repeated, open } = await countAttempts(run);
    for (const pod of running) stop(pod);
    await Promise.all(stopped.map(({ ended }) => ended));
    const proof = await run.prove();
    expect({ attempts, repeated, open }).toEqual({ attempts: proof.records, repeated: 0, open: 0 });
    expect(problemsOf(proof)).toEqual([]);
    expect(proof.doubts).toEqual({ fault: 0, kill: 0 });
    const slowest = Math.max(...ends.map(({ tookMs }) => tookMs));
    console.info(
      `${ends.length} pods stopped under load, ${attempts} attempts for ${proof.records} records, slowest stop ${slowest} ms`,
    );
  } finally {
    for (const pod of running) pod.stop(0);
    await Promise.all([...running].map(({ ended }) => ended));
    await run.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
