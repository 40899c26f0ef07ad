import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { type Mutant, patched, PROTOCOL_RULES } from './mutant';
import { MUTANTS } from './mutants';

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
it('changes what the program does, not whether it compiles', () => {
  expect(typeErrors(MUTANTS)).toEqual([]);
}, 120_000);

/** Compiles the patched files, in as many rounds as one file has mutants. */
function typeErrors(mutants: readonly Mutant[]): readonly string[] {
  const { config } = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), ts.sys.readFile) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT, {
    noUnusedLocals: false,
    noUnusedParameters: false,
  });
  const texts = new Map<string, string>();
  let version = 0;
  const service = ts.createLanguageService({
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
    getCompilationSettings: () => options,
    getScriptFileNames: () => [...new Set(mutants.map(({ file }) => resolve(ROOT, file)))],
    getScriptVersion: (path) => (texts.has(path) ? String(version) : '0'),
    getScriptSnapshot: (path) => {
      const text = texts.get(path) ?? ts.sys.readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => ROOT,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  });
  const errors: string[] = [];
  for (let left = mutants; left.length > 0;) {
    const round = new Map(left.map((mutant) => [resolve(ROOT, mutant.file), mutant]));
    left = left.filter((mutant) => ![...round.values()].includes(mutant));
    version++;
    texts.clear();
    for (const [path, mutant] of round) texts.set(path, patched(mutant, sourceOf(mutant)));
    for (const [path, { name }] of round)
      for (const { messageText } of [...service.getSyntacticDiagnostics(path), ...service.getSemanticDiagnostics(path)])
        errors.push(`${name}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
  }
  return errors;
}
