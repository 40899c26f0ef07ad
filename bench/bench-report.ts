import { availableParallelism, cpus, totalmem } from 'node:os';
import { CONCURRENCY } from './bench-processes';

export interface Measure {
  readonly recordsPerSecond: number;
  /** µs of processor time per record, by process. */
  readonly cpuUs: Readonly<Record<string, number>>;
  /** Highest resident memory so far, by process. */
  readonly peakMebibytes: Readonly<Record<string, number>>;
  /** Of the machine's processors, while this was measured: busy with anything at all, and taken by the host. */
  readonly machine: { readonly busyShare: number; readonly stolenShare: number };
  readonly commitsPerRecord?: Readonly<Record<string, number>>;
}
export type Loop = 'main job' | 'bare loop, axios on undici' | 'bare loop, axios on node:http';
export type Run = Readonly<Record<Loop, Measure>>;

export interface Counts {
  readonly records: number;
  readonly warmUp: number;
}

const LOOPS: readonly Loop[] = ['main job', 'bare loop, axios on undici', 'bare loop, axios on node:http'];

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

function medianOf(runs: readonly Run[], loop: Loop): Measure {
  const all = runs.map((run) => run[loop]);
  const each = (part: (measure: Measure) => Readonly<Record<string, number>>): Record<string, number> =>
    Object.fromEntries(
      Object.keys(part(all[0]!)).map((name) => [name, median(all.map((measure) => part(measure)[name]!))]),
    );
  return {
    recordsPerSecond: median(all.map(({ recordsPerSecond }) => recordsPerSecond)),
    cpuUs: each(({ cpuUs }) => cpuUs),
    peakMebibytes: each(({ peakMebibytes }) => peakMebibytes),
    machine: {
      busyShare: median(all.map(({ machine }) => machine.busyShare)),
      stolenShare: median(all.map(({ machine }) => machine.stolenShare)),
    },
    ...(all[0]!.commitsPerRecord && { commitsPerRecord: each((measure) => measure.commitsPerRecord!) }),
  };
}

export function report(runs: readonly Run[], counts: Counts) {
  const medians = Object.fromEntries(LOOPS.map((loop) => [loop, medianOf(runs, loop)])) as Record<Loop, Measure>;
  const rate = (loop: Loop): number => medians[loop].recordsPerSecond;
  const ratio = (loop: Loop): number =>
    median(runs.map((run) => run['main job'].recordsPerSecond / run[loop].recordsPerSecond));
  return {
    counts,
    concurrency: CONCURRENCY,
    runs: runs.length,
    machine: {
      processor: cpus()[0]?.model,
      processors: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      node: process.version,
      platform: process.platform,
    },
    recordsPerSecond: Object.fromEntries(LOOPS.map((loop) => [loop, Math.round(rate(loop))])),
    ratio: { toUndici: ratio('bare loop, axios on undici'), toHttp: ratio('bare loop, axios on node:http') },
    medians,
    each: runs,
  };
}

export function text(result: ReturnType<typeof report>): string {
  const { counts, machine, ratio, medians } = result;
  const line = (loop: Loop): string => {
    const { cpuUs, recordsPerSecond, machine: during } = medians[loop];
    const { sandbox, ...ours } = cpuUs;
    const sum = Object.values(ours).reduce((total, us) => total + us, 0);
    return `${loop.padEnd(32)} ${String(Math.round(recordsPerSecond)).padStart(6)} records/s  ${sum.toFixed(0).padStart(5)} µs CPU a record + ${sandbox!.toFixed(0)} µs in the sandbox; machine ${(during.busyShare * 100).toFixed(0)} % busy, ${(during.stolenShare * 100).toFixed(0)} % stolen`;
  };
  const numbers = (of: Readonly<Record<string, number>>, digits: number): string =>
    Object.entries(of)
      .map(([name, value]) => `${name} ${value.toFixed(digits)}`)
      .join(', ');
  return [
    `${counts.records} records of four data types after ${counts.warmUp} to warm up; median of ${result.runs} run(s); no faults, no latency`,
    `${machine.processors} × ${machine.processor}, ${machine.memoryGiB} GiB, node ${machine.node}`,
    ...LOOPS.map(line),
    `ratio to the bare loop on undici ${ratio.toUndici.toFixed(2)}, on node:http ${ratio.toHttp.toFixed(2)}`,
    `CPU µs a record by process: ${numbers(medians['main job'].cpuUs, 0)}`,
    `peak memory in MiB: ${numbers(medians['main job'].peakMebibytes, 0)}`,
    `commits a record: ${numbers(medians['main job'].commitsPerRecord!, 3)}`,
  ].join('\n');
}
