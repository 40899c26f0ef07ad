import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, type SourceFile, sourceFiles } from './source-files';

/** Ports that promise nothing beyond their one sentence: no order, no concurrency, no durability to test. */
const WITHOUT_LAWS = ['clock', 'chance', 'secret-source'];

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

it('lists no port as needing no laws that has some, or that is none', () => {
  expect(WITHOUT_LAWS.filter((name) => !ports.some(({ path }) => nameOf(path) === name))).toEqual([]);
  expect(WITHOUT_LAWS.filter((name) => withLaws.some(({ path }) => nameOf(path) === name))).toEqual([]);
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
  'answer-snippets': 'it forgets and may be deleted at any time, so a file of the machine serves every stack',
  'biller-profiles': 'profiles are files on every stack',
  'failure-projection': 'it can be built anew at any time, so a file of the machine serves every stack',
  'history-witness': 'every shard is one too, by law 15 of the shard, and its suite runs these laws',
  'record-projection': 'it can be folded anew at any time, so a file of the machine serves every stack',
  telemetry: 'what is told is the same on every stack, and nothing else in the program is told by it',
};

function bindingProblems(
  table: readonly { readonly port: string; readonly bindings: readonly string[] }[],
  reasons: Readonly<Record<string, string>>,
): readonly string[] {
  const found = table.flatMap(({ port, bindings: { length } }) => {
    const excused = Object.hasOwn(reasons, port);
    if (length === 0) return `${port}: has no binding`;
    if (length === 1) return excused ? [] : `${port}: has one binding, expected two or a reason`;
    return excused ? `${port}: has ${length} bindings, take its reason out` : [];
  });
  const gone = Object.keys(reasons).filter((name) => !table.some(({ port }) => port === name));
  return [...found, ...gone.map((name) => `${name}: a reason for no port`)];
}

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

  it('are two at least, or there is a reason why there is one, and no reason that is none', () => {
    expect(bindingProblems(table, ONE_BINDING_YET)).toEqual([]);
  });

  it('are missed where there are too few, and reasons that have lost their port', () => {
    const two = { port: 'two', bindings: ['a', 'b'] };
    const one = { port: 'one', bindings: ['a'] };
    const none = { port: 'none', bindings: [] };
    expect(bindingProblems([two, one], { one: 'why' })).toEqual([]);
    expect(bindingProblems([two, one, none], { two: 'why', none: 'why', gone: 'why' })).toEqual([
      'two: has 2 bindings, take its reason out',
      'one: has one binding, expected two or a reason',
      'none: has no binding',
      'gone: a reason for no port',
    ]);
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
