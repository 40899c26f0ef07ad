import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, type SourceFile, sourceFiles } from './source-files';

/** Ports that promise nothing beyond their one sentence: no order, no concurrency, no durability to test. */
const WITHOUT_LAWS = ['clock', 'chance', 'secret-source', 'telemetry'];

const nameOf = (path: string): string => path.split('/').at(-1)!.replace('.ts', '');

/** The numbers of the laws in the doc comments of a port, in order. */
function lawsOf(text: string): readonly number[] {
  const comments = text.match(/\/\*\*[^]*?\*\//g) ?? [];
  return comments
    .filter((comment) => /^ \* Laws\b/m.test(comment))
    .flatMap((comment) => [...comment.matchAll(/^ \* {1,2}(\d+) {2}\S/gm)].map((match) => Number(match[1])));
}

/** The laws that the titles of a suite name: `it('3: …')`, `it('3, 4: …')`. */
const citedIn = (text: string): ReadonlySet<number> =>
  new Set(
    [...text.matchAll(/['"`](\d+(?:(?:, | and )\d+)*): /g)].flatMap((match) => match[1]!.split(/, | and /).map(Number)),
  );

function implementedPorts(ports: readonly SourceFile[], adapters: readonly SourceFile[]): readonly SourceFile[] {
  const implemented = new Set(
    adapters.flatMap(({ text }) =>
      [...text.matchAll(/\bimplements ([\w, ]+)/g)].flatMap((match) => match[1]!.split(',').map((name) => name.trim())),
    ),
  );
  return ports.filter(({ text }) =>
    [...text.matchAll(/^export interface (\w+)/gm)].some((match) => implemented.has(match[1]!)),
  );
}

const ports = sourceFiles('src/application/ports');
const withLaws = ports.filter(({ text }) => lawsOf(text).length > 0);

it('reads laws and citations as they are written', () => {
  expect(lawsOf('/**\n * Laws:\n *  1  One.\n *     more\n * 10  Ten.\n */')).toEqual([1, 10]);
  expect(lawsOf('/**\n * Steps:\n *  1  One.\n */')).toEqual([]);
  expect([...citedIn("it('3: x'); it(`4, 5: y`); it('at 6: z')")]).toEqual([3, 4, 5]);
  expect(
    implementedPorts(
      [
        { path: 'a.ts', text: 'export interface A {}' },
        { path: 'b.ts', text: 'export interface B {}' },
      ],
      [{ path: 'c.ts', text: 'class C implements A {' }],
    ).map(({ path }) => path),
  ).toEqual(['a.ts']);
});

it('every port that an adapter implements has laws, numbered from 1 without gaps, or is listed as needing none', () => {
  const implemented = implementedPorts(ports, sourceFiles('src/adapters'));
  expect(implemented.length).toBeGreaterThan(5);
  expect(
    implemented
      .filter((port) => !withLaws.includes(port))
      .map(({ path }) => nameOf(path))
      .filter((name) => !WITHOUT_LAWS.includes(name)),
  ).toEqual([]);
  for (const { path, text } of withLaws)
    expect([path, lawsOf(text)]).toEqual([path, lawsOf(text).map((_, index) => index + 1)]);
});

describe('the contract suite of', () => {
  const suites = existsSync(join(ROOT, 'test/contract')) ? sourceFiles('test/contract') : [];

  it.each(withLaws.map(({ path, text }) => [nameOf(path), text] as const))('%s cites every law', (name, text) => {
    const cited = citedIn(
      suites
        .filter(({ path }) => path.startsWith(`test/contract/${name}.`))
        .map((suite) => suite.text)
        .join('\n'),
    );
    expect(lawsOf(text).filter((law) => !cited.has(law))).toEqual([]);
    expect([...cited].filter((law) => !lawsOf(text).includes(law))).toEqual([]);
  });
});

/** Ports with one adapter, and why; whoever adds the second takes the name out here. */
const ONE_BINDING_YET: Readonly<Record<string, string>> = {
  'biller-gateway': 'billers speak HTTP alone; its suite runs against real sockets',
  'biller-profiles': 'profiles are files on every stack',
  'record-projection': 'it can be folded anew at any time, so a file of the machine serves every stack',
};

describe('the bindings of a contract suite', () => {
  const tests = sourceFiles('test');
  const bindingsOf = (name: string): readonly string[] =>
    tests
      .filter(({ path, text }) => path.endsWith('.test.ts') && text.includes(`/${name}.contract'`))
      .map(({ path }) => path);
  const table = withLaws.map(({ path, text }) => ({
    port: nameOf(path),
    laws: lawsOf(text).length,
    bindings: bindingsOf(nameOf(path)),
  }));

  it.each(table)('$port: at least two, or the reason why it has one', ({ port, bindings }) => {
    if (Object.hasOwn(ONE_BINDING_YET, port)) expect(bindings).toHaveLength(1);
    else expect(bindings.length).toBeGreaterThanOrEqual(2);
  });

  it('names no port that is none', () => {
    expect(Object.keys(ONE_BINDING_YET).filter((name) => !table.some(({ port }) => port === name))).toEqual([]);
  });

  it('prints the numbers', () => {
    const lines = table.map(({ port, laws, bindings }) => `${port}: ${laws} laws, ${bindings.length} bindings`);
    const laws = table.reduce((sum, each) => sum + each.laws, 0);
    const runs = table.reduce((sum, each) => sum + each.laws * each.bindings.length, 0);
    process.stdout.write(
      `\n${lines.join('\n')}\n${laws} laws over ${table.length} ports, ${runs} with their bindings\n`,
    );
    expect(laws).toBeGreaterThan(50);
  });
});
