import { type SourceFile, sourceFiles } from './source-files';

const LINES_MAX = 400;
const WORDS_THAT_SAY_NOTHING = [
  'utils',
  'util',
  'helpers',
  'helper',
  'common',
  'types',
  'base',
  'manager',
  'impl',
  'misc',
];

const RULES: Readonly<Record<string, (file: SourceFile) => boolean>> = {
  'is a barrel': ({ path, text }) => path.endsWith('/index.ts') || /^export \*/m.test(text),
  'has a name that says nothing': ({ path }) =>
    path.split(/[/.-]/).some((word) => WORDS_THAT_SAY_NOTHING.includes(word)),
  'is not in kebab-case': ({ path }) => !/^[a-z0-9]+([-./][a-z0-9]+)*$/.test(path),
  [`is longer than ${LINES_MAX} lines`]: ({ path, text }) =>
    path.startsWith('src/') && text.split('\n').length > LINES_MAX + 1,
  'leaves a note for later': ({ text }) => /\b(TO-?DO|FIX-?ME)\b/.test(text),
  'holds a placeholder': ({ path, text }) => path.startsWith('src/') && /not (yet )?implemented/i.test(text),
  'holds code commented out': ({ text }) => text.split('\n').some((line) => /^\s*\/\/ ?.*([;{]|\) =>)\s*$/.test(line)),
  'bounds a duration by a number without a name': ({ path, text }) =>
    path.startsWith('test/') &&
    /(performance\.now|Date\.now|monotonicMs)\(\) - \w+\)\.toBeLessThan(OrEqual)?\([\d_]+\)/.test(text),
  'skips or narrows its tests': ({ path, text }) =>
    path.endsWith('.test.ts') && /\b(it|test|describe)\.(only|todo)\b|\bf(it|describe)\(/.test(text),
};

const faults = (file: SourceFile): readonly string[] =>
  Object.entries(RULES).flatMap(([fault, holds]) => (holds(file) ? [`${file.path} ${fault}`] : []));

const note = ['TO', 'DO'].join('');
const only = ['it', 'only'].join('.');

it.each<[string, SourceFile]>([
  ['is a barrel', { path: 'src/domain/index.ts', text: '' }],
  ['is a barrel', { path: 'src/domain/all.ts', text: "export * from './money';" }],
  ['has a name that says nothing', { path: 'src/adapters/utils/text.ts', text: '' }],
  ['has a name that says nothing', { path: 'src/adapters/sqlite/string-helpers.ts', text: '' }],
  ['is not in kebab-case', { path: 'src/domain/dpRecord.ts', text: '' }],
  [`is longer than ${LINES_MAX} lines`, { path: 'src/domain/long.ts', text: 'x\n'.repeat(LINES_MAX + 1) }],
  ['leaves a note for later', { path: 'src/domain/x.ts', text: `/** ${note} later */` }],
  ['holds a placeholder', { path: 'src/domain/x.ts', text: "throw new Error('not yet implemented')" }],
  ['holds code commented out', { path: 'src/domain/x.ts', text: '  // const a = 1;' }],
  ['holds code commented out', { path: 'src/domain/x.ts', text: '// if (a) {' }],
  [
    'bounds a duration by a number without a name',
    { path: 'test/domain/x.test.ts', text: 'expect(performance.now() - began).toBeLessThan(500);' },
  ],
  ['skips or narrows its tests', { path: 'test/domain/x.test.ts', text: `${only}('x', () => {})` }],
])('the check sees a file that %s', (fault, file) => {
  expect(faults(file)).toEqual([`${file.path} ${fault}`]);
});

it('the check takes a tidy file', () => {
  expect(
    faults({
      path: 'src/domain/dp-record/dp-record.events.ts',
      text: '// Says why.\nconst database = 1;\n'.repeat(LINES_MAX / 2),
    }),
  ).toEqual([]);
});

it.each(['src', 'test'])('every file in %s is tidy', (folder) => {
  const files = sourceFiles(folder).filter(({ path }) => path !== 'test/architecture/tidy.test.ts');
  expect(files.length).toBeGreaterThan(10);
  expect(files.flatMap(faults)).toEqual([]);
});
