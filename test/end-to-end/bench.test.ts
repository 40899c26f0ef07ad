import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { demandBuilt } from '../support/command-line';
import { WHOLE_RUN_MS } from '../support/until';

const BENCH = resolve(__dirname, '../../bench/main-job.bench.ts');
const FEW = ['--records', '100', '--warm-up', '100', '--runs', '1', '--json'];
const LOOPS = ['main job', 'bare loop, axios on undici', 'bare loop, axios on node:http'];

beforeAll(demandBuilt);

/** Its figures mean nothing with so few records: this is about the bench being able to run. */
it(
  'npm run bench measures the main job and the bare loops beside it',
  async () => {
    const bench = spawn(process.execPath, ['--import', 'tsx', BENCH, ...FEW], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    bench.stdout.on('data', (text: Buffer) => (output += text.toString()));
    bench.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    const [code] = (await once(bench, 'close')) as [number | null];
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const told = JSON.parse(output) as { readonly recordsPerSecond: Readonly<Record<string, number>> };
    expect(Object.keys(told.recordsPerSecond)).toEqual(LOOPS);
    for (const loop of LOOPS) expect(told.recordsPerSecond[loop]).toBeGreaterThan(0);
  },
  WHOLE_RUN_MS,
);
