import { relative } from 'node:path';
import { readFileSync } from 'node:fs';
import { analyzeTsConfig } from 'ts-unused-exports';
import { ROOT } from './source-files';

/** What is loaded by its path, or stands in for another package's names. */
const LOADED_OTHERWISE: ReadonlySet<string> = new Set([
  'src/bootstrap/crash-test/watch-ports.ts watchPorts',
  'test/simulation/main.ts main',
]);
const STANDS_IN = 'test/support/t-sql-on-postgresql/driver.ts';

/** A type may be named by whoever uses the function that takes or yields it, so it stays exported. */
const isType = (text: string, name: string): boolean =>
  new RegExp(`export (declare )?(interface|type) ${name}\\b`).test(text);

it('what is exported is used by another file', () => {
  const { unusedExports } = analyzeTsConfig(`${ROOT}/tsconfig.json`);
  const found = Object.entries(unusedExports).flatMap(([path, names]) => {
    const text = readFileSync(path, 'utf8');
    const file = relative(ROOT, path);
    return names
      .map(({ exportName }) => exportName)
      .filter((name) => !isType(text, name))
      .map((name) => `${file} ${name}`);
  });
  // It looked: the two that it cannot see are among them.
  for (const known of LOADED_OTHERWISE) expect(found).toContain(known);
  expect(found.filter((each) => !LOADED_OTHERWISE.has(each) && !each.startsWith(STANDS_IN))).toEqual([]);
});
