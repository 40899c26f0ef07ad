import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { WHOLE_RUN_MS } from '../../support/until';
import { draw } from './sample/draw';
import { applied, mutationsOf, OPERATORS } from './sample/mutations';

const TEXT = `
export async function pay(ports: Ports, amount: number): Promise<number> {
  if (amount > 5 && ports.open) await ports.send(amount);
  if (amount === 7) return 0;
  ports.note();
  if (amount < 0) {
    throw new Error('negative');
  }
  const known = { first: amount, second: ports.limit ?? 3 };
  return known.first > 1 ? known.first : known.second;
}`;

it('knows a place for each operator, and each changes the text', () => {
  const mutations = mutationsOf(TEXT);
  expect([...new Set(mutations.map(({ operator }) => operator))].sort()).toEqual([...OPERATORS].sort());
  for (const mutation of mutations) expect(applied(TEXT, mutation)).not.toBe(TEXT);
  const swap = mutations.find(({ operator }) => operator === 'swaps two members')!;
  expect(applied(TEXT, swap)).toContain('{ first: ports.limit ?? 3, second: amount }');
});

it('leaves reports, types and imports alone', () => {
  expect(mutationsOf("import { a } from 'b';\ntype T = 1 | 2;\nports.telemetry.count('x');")).toEqual([]);
});

it('draws the same places by the same seed, each once, over the parts by turns', () => {
  const sources = new Map([
    ['src/domain/a.ts', TEXT],
    ['src/application/b.ts', TEXT],
    ['src/bootstrap/c.ts', TEXT],
  ]);
  const options = { count: 12, seed: 3, parts: ['src/domain', 'src/application'] as const };
  const drawn = draw(sources, options);
  expect(draw(sources, options)).toEqual(drawn);
  expect(new Set(drawn.map(({ file, mutation }) => JSON.stringify([file, mutation]))).size).toBe(12);
  expect(drawn.filter(({ file }) => file === 'src/domain/a.ts')).toHaveLength(6);
  expect(draw(sources, { ...options, seed: 4 })).not.toEqual(drawn);
});

it(
  'finds drawn defects of the domain, and says by what',
  () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [resolve(__dirname, '../simulate.cjs'), '--mutants', '--sample', '3', '--parts', 'src/domain', '--json'],
      { encoding: 'utf8' },
    );
    const { scores, judged } = JSON.parse(stdout) as {
      scores: readonly { of: number }[];
      judged: readonly { judgement: object }[];
    };
    expect(scores).toMatchObject([{ part: 'src/domain', holds: true }]);
    expect(judged.length).toBeGreaterThan(0);
    expect(status).toBe(0);
  },
  WHOLE_RUN_MS,
);
