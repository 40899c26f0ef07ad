import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { WHOLE_RUN_MS } from '../../support/until';
import { type Mutant, patched, PROTOCOL_RULES } from './mutant';
import { MUTANTS } from './mutants';
import { PatchCompiler } from './patch-compiler';

const ROOT = resolve(__dirname, '../../..');
const sourceOf = ({ file }: Mutant): string => readFileSync(resolve(ROOT, file), 'utf8');

it.each(PROTOCOL_RULES)('breaks rule %i of the protocol in at least one mutant', (number) => {
  expect(MUTANTS.filter(({ rule }) => rule === `rule ${number}`)).not.toHaveLength(0);
});

it('names no two mutants alike', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

it('refuses a patch whose text does not stand exactly once', () => {
  const mutant = { ...MUTANTS[0]!, find: 'one(two, three)' };
  expect(() => patched(mutant, 'one(two)')).toThrow('applies 0 times');
  expect(() => patched(mutant, 'one(two, three); one(two, three);')).toThrow('applies 2 times');
  expect(patched(mutant, 'a; one(\n  two,\n  three,\n); b;')).toBe(`a; ${mutant.replace}; b;`);
});

/** A mutant that only stops its program would be "found" as well, and prove nothing about its rule. */
it(
  'changes what the program does, not whether it compiles',
  () => {
    const compiler = new PatchCompiler(ROOT);
    const errors = MUTANTS.flatMap((mutant) =>
      compiler.errorsIn(mutant.file, patched(mutant, sourceOf(mutant))).map((error) => `${mutant.name}: ${error}`),
    );
    expect(errors).toEqual([]);
  },
  WHOLE_RUN_MS,
);
