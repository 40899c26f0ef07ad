import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { peakResidentKib } from '../src/bootstrap/demo/process-table';
import { type BareClient, type BareOrder } from './bare-loop';
import { COMMAND_LINE, CONCURRENCY, remember, start, stop, until } from './bench-processes';
import { type Counts, type Measure } from './bench-report';
import { environmentOf } from './job-files';
import { isBus, Outside } from './outside-view';
import { cpuUsOf, machineUs } from './process-costs';

const START_MS_MAX = 30_000;
const WORK_MS_MAX = 600_000;
const STAGES = [
  'scanner',
  'fetcher',
  ...Array.from({ length: availableParallelism() }, (_, index) => `consumer-${index + 1}`),
];

/** Takes the costs of the processes now; the function returned tells what was added since. */
function costs(
  pids: Readonly<Record<string, number>>,
  records: number,
): () => Pick<Measure, 'cpuUs' | 'machine' | 'peakMebibytes'> {
  const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuUsOf(pid)]));
  const machine = machineUs();
  return () => {
    const now = machineUs();
    const allUs = Math.max(1, now.allUs - machine.allUs);
    return {
      cpuUs: Object.fromEntries(
        Object.entries(pids).map(([name, pid]) => [name, (cpuUsOf(pid) - before[name]!) / records]),
      ),
      peakMebibytes: Object.fromEntries(
        Object.entries(pids).map(([name, pid]) => [name, (peakResidentKib(pid) ?? 0) / 1_024]),
      ),
      machine: {
        busyShare: (now.busyUs - machine.busyUs) / allUs,
        stolenShare: (now.stolenUs - machine.stolenUs) / allUs,
      },
    };
  };
}

export async function mainJob(
  folder: string,
  dataFolder: string,
  sandbox: number,
  counts: Counts,
  log: number,
): Promise<Measure> {
  const environment = environmentOf(folder, dataFolder);
  const processes = STAGES.map((stage) => {
    const [name, number] = stage.split('-');
    return [
      stage,
      start(
        COMMAND_LINE,
        ['run', name!, ...(number === undefined ? [] : ['--type', 'all', '--number', number])],
        environment,
        log,
        'ignore',
      ),
    ] as const;
  });
  await until('starting the processes', () => isBus(join(dataFolder, 'bus.sqlite')), START_MS_MAX);
  const outside = new Outside(dataFolder);
  await until('the warm-up', () => outside.delivered() === counts.warmUp && outside.isDrained(), WORK_MS_MAX);
  const spent = costs(
    { ...Object.fromEntries(processes.map(([stage, child]) => [stage, child.pid!])), sandbox },
    counts.records,
  );
  const commitsBefore = outside.commits();
  const after = new Date().toISOString();
  outside.makeDue();
  await until('the work', () => outside.isDrained(), WORK_MS_MAX);
  const seconds = (Date.now() - outside.firstClaimMs(after)) / 1_000;
  const measured = spent();
  const commits = outside.commits();
  const delivered = outside.delivered();
  outside.close();
  await Promise.all(processes.map(([, child]) => stop(child)));
  if (delivered !== counts.warmUp + counts.records)
    throw new Error(`${delivered} rows are delivered, expected ${counts.warmUp + counts.records}`);
  return {
    recordsPerSecond: counts.records / seconds,
    ...measured,
    commitsPerRecord: Object.fromEntries(
      Object.entries(commits).map(([name, count]) => [name, (count - commitsBefore[name]!) / counts.records]),
    ),
  };
}

export async function bareLoop(
  client: BareClient,
  dataFolder: string,
  port: number,
  sandbox: number,
  counts: Counts,
): Promise<Measure> {
  const order: BareOrder = { client, dataFolder, port, concurrency: CONCURRENCY };
  const child = remember(
    fork(resolve(__dirname, 'bare-loop.ts'), [JSON.stringify(order)], { execArgv: process.execArgv }),
  );
  const told = async (): Promise<{ done?: number; seconds?: number }> =>
    (
      await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(() => Promise.reject(new Error(`the bare loop (${client}) ended early`))),
      ])
    )[0] as { done?: number; seconds?: number };
  await told();
  const spent = costs({ loop: child.pid!, sandbox }, counts.records);
  child.send('go');
  const { done, seconds } = await told();
  const measured = spent();
  child.send('end');
  await once(child, 'exit');
  if (done !== counts.records)
    throw new Error(`the bare loop (${client}) delivered ${done} rows, expected ${counts.records}`);
  return { recordsPerSecond: counts.records / seconds!, ...measured };
}
