/*
 * Records/s of the main job beside bare loops over the same rows against the same sandbox, in the same run (docs/BENCH.md).
 * Run: npm run bench [-- --records 40000 --runs 3 --warm-up 10000 --json]
 */
import { once } from 'node:events';
import { cpSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../src/bootstrap/demo/sandbox-process';
import { start, stop } from './bench-processes';
import { type Counts, report, type Run, text } from './bench-report';
import { seedShards, writeConfiguration } from './job-files';
import { bareLoop, mainJob } from './measured-loops';

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

function whole(name: string, value: string, min: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min) return number;
  process.stderr.write(`--${name}: found ${value}, expected a whole number from ${min}\n`);
  process.exit(2);
}

async function main(): Promise<void> {
  // The processes refuse a data folder that others may read.
  process.umask(0o077);
  const { values } = parseArgs({
    options: {
      records: { type: 'string', default: '40000' },
      'warm-up': { type: 'string', default: '10000' },
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
