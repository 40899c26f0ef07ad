import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { WHOLE_RUN_MS } from '../../support/until';

const hunt = (...options: readonly string[]) =>
  spawnSync(process.execPath, [resolve(__dirname, '../simulate.cjs'), '--mutants', ...options], { encoding: 'utf8' });

it(
  'finds a mutant and says by which seed and which broken law',
  () => {
    const { status, stdout } = hunt('--named', 'closes an attempt twice', '--json', '--workers', '1');
    expect(JSON.parse(stdout)).toMatchObject({
      found: 1,
      of: 1,
      mutants: [
        {
          name: 'closes an attempt twice',
          rule: 'rule 8',
          is: 'found',
          by: expect.stringContaining('is closed twice'),
        },
      ],
    });
    expect(status).toBe(0);
  },
  WHOLE_RUN_MS,
);

it(
  'fails where a name fits no mutant',
  () => {
    const { status, stdout, stderr } = hunt('--named', 'no such name');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain("--named: found no such name, which no mutant's name or rule holds");
  },
  WHOLE_RUN_MS,
);
