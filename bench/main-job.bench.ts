/*
 * Records/s of the main job beside bare loops over the same rows against the same sandbox, in the same run (docs/BENCH.md).
 * Run: npm run bench [-- --records 20000 --runs 3 --warm-up 4000 --json]
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { freePort } from '../src/bootstrap/demo/sandbox-process';
import { DATA_TYPES } from '../src/domain/biller/data-type';
import { type BareClient, type BareOrder } from './bare-loop';
import { environmentOf, NOT_YET, seedShards, shardNames, writeConfiguration } from './job-files';
import { commitsOf, cpuUsOf, machineUs } from './process-costs';

const CONCURRENCY = 256;
const LOOK_MS = 20;
const START_MS_MAX = 30_000;
const WORK_MS_MAX = 600_000;
const PROGRAM = resolve(__dirname, '..', 'dist', 'bootstrap');
const STAGES = ['scanner', 'fetcher', ...DATA_TYPES.map((type) => `consumer-${type.toLowerCase()}`)];

interface Measure {
  readonly recordsPerSecond: number;
  /** µs of processor time per record, by process. */
  readonly cpuUs: Readonly<Record<string, number>>;
  /** Of the machine's processors, while this was measured: busy with anything at all, and taken by the host. */
  readonly machine: { readonly busyShare: number; readonly stolenShare: number };
  readonly commitsPerRecord?: Readonly<Record<string, number>>;
}
type Loop = 'main job' | 'bare loop, axios on undici' | 'bare loop, axios on node:http';
type Run = Readonly<Record<Loop, Measure>>;

interface Counts {
  readonly records: number;
  readonly warmUp: number;
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Why a child ended that nobody had told to. */
let failure: string | undefined;

function remember<Child extends ChildProcess>(child: Child): Child {
  children.add(child);
  child.once('exit', (code) => {
    children.delete(child);
    if (code !== 0) failure ??= `a process ended with exit code ${code}: ${child.spawnargs.slice(1).join(' ')}`;
  });
  return child;
}

/** Processes end with the bench: their standard input is a pipe that it holds. */
function start(
  program: string,
  args: readonly string[],
  environment: Record<string, string>,
  log: number,
  stdout: 'pipe' | 'ignore',
): ChildProcess {
  const nodeOptions = process.env['BENCH_NODE_OPTIONS']?.split(' ') ?? [];
  return remember(
    spawn(process.execPath, [...nodeOptions, join(PROGRAM, program), ...args], {
      env: { ...process.env, ...environment, DATAPUMP_SUPERVISED: '1' },
      stdio: ['pipe', stdout, log],
    }),
  );
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

async function until(what: string, isSo: () => boolean, maxMs: number): Promise<void> {
  for (const end = performance.now() + maxMs; !isSo();) {
    if (performance.now() > end) throw new Error(`${what} took longer than ${maxMs / 1_000} s`);
    if (failure !== undefined) throw new Error(failure);
    await new Promise((next) => setTimeout(next, LOOK_MS));
  }
}

/** Takes the costs of the processes now; the function returned tells what was added since. */
function costs(pids: Readonly<Record<string, number>>, records: number): () => Pick<Measure, 'cpuUs' | 'machine'> {
  const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuUsOf(pid)]));
  const machine = machineUs();
  return () => {
    const now = machineUs();
    const allUs = Math.max(1, now.allUs - machine.allUs);
    return {
      cpuUs: Object.fromEntries(
        Object.entries(pids).map(([name, pid]) => [name, (cpuUsOf(pid) - before[name]!) / records]),
      ),
      machine: {
        busyShare: (now.busyUs - machine.busyUs) / allUs,
        stolenShare: (now.stolenUs - machine.stolenUs) / allUs,
      },
    };
  };
}

/** The files that the processes leave: looked at from outside, and cheaply, so that looking is no load. */
class Outside {
  private readonly shards;
  private readonly bus;
  readonly files: Readonly<Record<string, string>>;

  constructor(dataFolder: string) {
    this.files = {
      'event-store': join(dataFolder, 'event-store.sqlite'),
      bus: join(dataFolder, 'bus.sqlite'),
      ...Object.fromEntries(shardNames.map((name) => [name, join(dataFolder, 'shards', `${name}.sqlite`)])),
    };
    this.shards = shardNames.map((name) => {
      const database = new Database(this.files[name]);
      return {
        database,
        unfinished: database
          .prepare<[string], number>(
            `
          SELECT EXISTS (SELECT 1 FROM datapump WHERE Status IN ('Queued', 'Published', 'InDoubt'))
            OR EXISTS (SELECT 1 FROM datapump WHERE Status = 'New' AND DueAt < ?)`,
          )
          .pluck(),
      };
    });
    this.bus = new Database(this.files['bus']);
  }

  isDrained(): boolean {
    if (this.shards.some(({ unfinished }) => unfinished.get(NOT_YET) === 1)) return false;
    return this.bus.prepare('SELECT NOT EXISTS (SELECT 1 FROM message)').pluck().get() === 1;
  }

  delivered(): number {
    return this.shards.reduce(
      (sum, { database }) =>
        sum + (database.prepare(`SELECT count(*) FROM datapump WHERE Status = 'Delivered'`).pluck().get() as number),
      0,
    );
  }

  makeDue(): void {
    for (const { database } of this.shards)
      database.prepare('UPDATE datapump SET DueAt = CreatedAt WHERE DueAt = ?').run(NOT_YET);
  }

  /** The instant of the first claim after an instant: where the work began. */
  firstClaimMs(after: string): number {
    const found = this.shards.flatMap(
      ({ database }) =>
        database
          .prepare<[string], string | null>('SELECT min(CreatedAt) FROM Outbox WHERE CreatedAt >= ?')
          .pluck()
          .get(after) ?? [],
    );
    return Math.min(...found.map(Date.parse));
  }

  commits(): Readonly<Record<string, number>> {
    return Object.fromEntries(Object.entries(this.files).map(([name, file]) => [name, commitsOf(file)]));
  }

  close(): void {
    for (const { database } of this.shards) database.close();
    this.bus.close();
  }
}

async function mainJob(
  folder: string,
  dataFolder: string,
  sandbox: number,
  counts: Counts,
  log: number,
): Promise<Measure> {
  const environment = environmentOf(folder, dataFolder);
  const processes = STAGES.map((stage) => {
    const [name, type] = stage.split('-');
    return [
      stage,
      start(
        'command-line.main.js',
        ['run', name!, ...(type === undefined ? [] : ['--type', type])],
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

/** The bus' tables are there once its first process has made them. */
function isBus(file: string): boolean {
  try {
    const database = new Database(file, { readonly: true, fileMustExist: true });
    try {
      return database.prepare(`SELECT count(*) FROM sqlite_schema WHERE name = 'message'`).pluck().get() === 1;
    } finally {
      database.close();
    }
  } catch {
    return false;
  }
}

async function bareLoop(
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

async function runOnce(counts: Counts): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-bench-'));
  const log = openSync(join(folder, 'processes.log'), 'a');
  try {
    const port = await freePort(Math.random);
    writeConfiguration(folder, port);
    const main = join(folder, 'main');
    await seedShards(main, counts);
    const copies = ['undici', 'http'].map((name) => join(folder, name));
    for (const copy of copies) cpSync(main, copy, { recursive: true });
    mkdirSync(join(folder, 'main'), { recursive: true });
    const sandbox = start('sandbox-biller.main.js', ['--config', join(folder, 'sandbox.json')], {}, log, 'pipe');
    await once(sandbox.stdout!, 'data');
    const run = {
      'main job': await mainJob(folder, main, sandbox.pid!, counts, log),
      'bare loop, axios on undici': await bareLoop('undici', copies[0]!, port, sandbox.pid!, counts),
      'bare loop, axios on node:http': await bareLoop('http', copies[1]!, port, sandbox.pid!, counts),
    };
    await stop(sandbox);
    return run;
  } catch (error) {
    throw new Error(
      `the bench stopped, the processes said: ${readFileSync(join(folder, 'processes.log'), 'utf8').slice(0, 2_000)}`,
      { cause: error },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
    machine: {
      busyShare: median(all.map(({ machine }) => machine.busyShare)),
      stolenShare: median(all.map(({ machine }) => machine.stolenShare)),
    },
    ...(all[0]!.commitsPerRecord && { commitsPerRecord: each((measure) => measure.commitsPerRecord!) }),
  };
}

function report(runs: readonly Run[], counts: Counts) {
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

function text(result: ReturnType<typeof report>): string {
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
    `commits a record: ${numbers(medians['main job'].commitsPerRecord!, 3)}`,
  ].join('\n');
}

function whole(name: string, value: string, min: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min) return number;
  process.stderr.write(`--${name}: found ${value}, expected a whole number from ${min}\n`);
  process.exit(2);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      records: { type: 'string', default: '20000' },
      'warm-up': { type: 'string', default: '4000' },
      runs: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
    },
  });
  const counts = { records: whole('records', values.records, 100), warmUp: whole('warm-up', values['warm-up'], 100) };
  const runs: Run[] = [];
  for (let run = whole('runs', values.runs, 1); run > 0; run--) runs.push(await runOnce(counts));
  const result = report(runs, counts);
  process.stdout.write(`${values.json ? JSON.stringify(result) : text(result)}\n`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
