import { type SourceFile, sourceFiles } from './source-files';

/** Each writes by its own means, and why. */
const MAY_WRITE: Readonly<Record<string, string>> = {
  'src/adapters/command-line/printer.ts': 'it is the printer',
  'src/adapters/command-line/progress.ts': 'a bar redraws its line; its words go through visible()',
  'src/bootstrap/crash-test/tell-results.ts': 'its last line is redrawn and holds numbers alone',
};
const WRITES =
  /\bprocess\s*(\.|\[')std(out|err)('\])?\s*(\.|\[')write|\bconsole\s*[.[]|\bstream\.write\(|\.(stdout|stderr)\.write\(/;

const bypasses = ({ path, text }: SourceFile): boolean => WRITES.test(text) && !Object.hasOwn(MAY_WRITE, path);

it.each([
  ["process.stdout.write('x')"], ["process.stderr\n  .write('x')"], ["process['stdout'].write('x')"], ["console.log('x')"], ["console['error']('x')"],
])('finds %j', (text) => expect(bypasses({ path: 'src/bootstrap/x.ts', text })).toBe(true)); // prettier-ignore

it('nothing but the printer writes to the terminal (issue 8, no 11)', () => {
  expect(
    sourceFiles('src')
      .filter(bypasses)
      .map(({ path }) => path),
  ).toEqual([]);
  expect(Object.keys(MAY_WRITE).filter((path) => !sourceFiles('src').some((file) => file.path === path))).toEqual([]);
});
