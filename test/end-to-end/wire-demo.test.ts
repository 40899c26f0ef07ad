import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Proof } from '../../src/bootstrap/demo/proof';
import { newDemoFolder, removeDemoFolder } from '../support/running-demo';
import { WHOLE_RUN_MS } from '../support/until';
import { type WireFault } from '../support/wire-demo/wire-faults';

const PROGRAM = resolve(__dirname, '../support/wire-demo/wire-demo.main.ts');

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

const wireDemo = (words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  new Promise((end) => {
    const env: NodeJS.ProcessEnv = { ...process.env, ...environment };
    if (environment['DATAPUMP_TEST_MSSQL'] === undefined) delete env['DATAPUMP_TEST_MSSQL'];
    const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, ...words], { env });
    let output = '';
    let errors = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    child.once('close', (code) => end({ code, output, errors }));
  });

describe('a demo with Service Bus and EventStoreDB over the wire', () => {
  const folder = newDemoFolder();
  afterAll(() => removeDemoFolder(folder));

  it(
    'balances, though both are killed for 2 s while it works',
    async () => {
      const words = ['--records', '100', '--shards', '1', '--folder', folder, '--json', '--per-second', '1'];
      const plugs = ['--pull-plug', '--plug-seconds', '2', '--plug-after-seconds', '0.3'];
      const { code, output, errors } = await wireDemo([...words, ...plugs]);
      expect(errors).toContain('the event store is back');
      expect(errors).toContain('the service bus is back');
      const told = JSON.parse(output) as Proof & { readonly proved: boolean };
      expect({ code, proved: told.proved, lost: told.lost, doubled: told.doubled, records: told.records }).toEqual({
        code: 0,
        proved: true,
        lost: 0,
        doubled: 0,
        records: 100,
      });
    },
    WHOLE_RUN_MS,
  );

  // In turns where two stand together: a demo takes most of its time to start and to end.
  it.each<{ readonly faults: readonly WireFault[]; readonly topics?: 'partitioned' }>([
    { faults: ['half-open'] },
    { faults: ['lose-answers', 'busy'] },
    { faults: ['force-close', 'detach'] },
    { faults: ['leader-change'], topics: 'partitioned' },
  ])(
    'balances under $faults, with no doubt that no fault of a biller explains',
    async ({ faults, topics }) => {
      const words = ['--records', '60', '--shards', '1', '--folder', folder, '--json', '--per-second', '1'];
      const pace = ['--fault-every-seconds', '0.4', '--silent-seconds', '0.5'];
      const options = [...faults.map((fault) => `--${fault}`), ...(topics === undefined ? [] : [`--${topics}`])];
      const { code, output, errors } = await wireDemo([...words, ...pace, ...options]);
      const told = JSON.parse(output) as Proof & { readonly proved: boolean };
      expect({ code, proved: told.proved, lost: told.lost, doubled: told.doubled, records: told.records }).toEqual({
        code: 0,
        proved: true,
        lost: 0,
        doubled: 0,
        records: 60,
      });
      // The proof lets a record be in doubt for a fault or a kill alone, and nothing was killed.
      expect(told.doubts.kill).toBe(0);
      for (const fault of faults) expect(errors).toMatch(new RegExp(`inflicted .*${fault} [1-9]\\d* times`));
      if (topics === 'partitioned')
        expect(readFileSync(join(folder, 'demo', 'processes.log'), 'utf8')).toContain('a topic refuses batches');
    },
    WHOLE_RUN_MS,
  );

  it.each([
    ['nobody listens', 'Server=127.0.0.1,9;User Id=sa;Password=top-secret;TrustServerCertificate=true;Encrypt=true'],
    ['it is no connection string', 'top-secret'],
  ])(
    'names the setting of the SQL Server where %s, with exit 2',
    async (_name, connectionString) => {
      const { code, errors } = await wireDemo(['--folder', folder], { DATAPUMP_TEST_MSSQL: connectionString });
      expect(code).toBe(2);
      expect(errors).toMatch(/^wire demo: .*DATAPUMP_TEST_MSSQL/);
      expect(errors.trim().split('\n')).toHaveLength(1);
      expect(errors).not.toContain('top-secret');
    },
    WHOLE_RUN_MS,
  );
});
