import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { DECLARATIONS, type SettingKey } from '../../src/bootstrap/configuration/declarations';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { problemLine } from '../../src/bootstrap/configuration/setting-problem';

const KEYS = Object.keys(DECLARATIONS) as SettingKey[];
const SECTIONS = [...new Set(KEYS.map((key) => key.split(':')[0]!))];
/** Of every kind, and of every kind wrong for most. */
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  1e300,
  '',
  ' ',
  'no such word',
  '999999999999999999999',
  [],
  [null],
  [[1]],
  {},
  { a: { b: 1 } },
  { a: 'x' },
];

const wholeWrong = (key: SettingKey, value: unknown): boolean => {
  const { kind } = DECLARATIONS[key];
  return kind.read(value) === undefined && (kind.parts?.(value) ?? []).length <= 1;
};

interface Mistake {
  readonly key: SettingKey;
  readonly value: unknown;
  readonly inEnvironment: boolean;
}

const mistake = (key: SettingKey): fc.Arbitrary<Mistake> =>
  fc
    .record({ inEnvironment: fc.boolean(), value: fc.constantFrom(...VALUES) })
    .map(({ inEnvironment, value }) => ({
      key,
      inEnvironment,
      value: inEnvironment ? (typeof value === 'string' ? value : JSON.stringify(value)) : value,
    }))
    .filter(({ value }) => wholeWrong(key, value));

const CAN_BE_WRONG = KEYS.filter((key) => VALUES.some((value) => typeof value === 'string' && wholeWrong(key, value)));
const mistakes = fc
  .subarray(CAN_BE_WRONG, { minLength: 1, maxLength: 12 })
  .chain((keys) => fc.tuple(...keys.map(mistake)));

function sectionsOf(all: readonly Mistake[]): Record<string, Record<string, unknown>> {
  const sections: Record<string, Record<string, unknown>> = {};
  for (const { key, value } of all) {
    const [section, name] = key.split(':') as [string, string];
    (sections[section] ??= {})[name] = value;
  }
  return sections;
}

describe('every mistake in the settings is told at once (issue 8, no 18)', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'configuration-problems-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const told = (
    file: { readonly name: string; readonly text: string },
    environment: Record<string, string> = {},
  ): readonly string[] => {
    writeFileSync(join(folder, file.name), file.text);
    const loaded = loadSettings({ environment, file: join(folder, file.name) });
    return 'problems' in loaded ? loaded.problems.map(problemLine) : [];
  };

  it('N independent mistakes, of any kind, in file and environment, are N problems', () => {
    const extras = fc.record({
      sections: fc.subarray(['Scaner', 'Nonsense', 'X']),
      names: fc.subarray(['Scanner:Sleep', 'Bus:Nope', 'Log:Levels']),
      variables: fc.subarray(['Bus__Nope2', 'Scanner__Sleeps']),
      yaml: fc.boolean(),
    });
    fc.assert(
      fc.property(mistakes, extras, (all, { sections, names, variables, yaml }) => {
        const content = sectionsOf(all.filter(({ inEnvironment }) => !inEnvironment));
        for (const section of sections) content[section] = { a: 1 };
        for (const name of names) (content[name.split(':')[0]!] ??= {})[name.split(':')[1]!] = 1;
        const environment = Object.fromEntries([
          ...all
            .filter(({ inEnvironment }) => inEnvironment)
            .map(({ key, value }) => [key.replace(':', '__'), value as string]),
          ...variables.map((name) => [name, '1'] as const),
        ]);
        const lines = told(
          yaml ? { name: 'c.yaml', text: stringify(content) } : { name: 'c.json', text: JSON.stringify(content) },
          environment,
        );
        const expected = [
          ...all.map(({ key }) => key),
          ...sections,
          ...names,
          ...variables.map((name) => name.replace('__', ':')),
        ];
        expect([lines.length, lines]).toEqual([expected.length, lines]);
        for (const key of expected)
          expect(
            lines.filter(
              (line) => line.startsWith(`${key}:`) || line.startsWith(`${key}[`) || line.startsWith(`${key}.`),
            ),
          ).toHaveLength(1);
      }),
      { numRuns: 400 },
    );
  });

  it('a section of the wrong kind hides neither the others nor what contradicts', () => {
    fc.assert(
      fc.property(
        fc.subarray(SECTIONS, { minLength: 1 }),
        fc.constantFrom<unknown>(null, 5, 'x', [], [{}]),
        (broken, value) => {
          const content: Record<string, unknown> = {
            Scanner: { MaxChunkSize: 5000, ClaimRowsMax: 10, SleepSeconds: 'soon' },
          };
          for (const section of broken) content[section] = value;
          const lines = told({ name: 'c.json', text: JSON.stringify(content) }, { Log__Level: 'loud' });
          const own = broken.includes('Scanner') ? 0 : 2;
          expect([lines.length, lines]).toEqual([broken.length + own + 1, lines]);
        },
      ),
    );
  });

  it('what contradicts is told with what is wrong alone, unless it hangs on that', () => {
    const contradicting = {
      Scanner: { MaxChunkSize: 5000, ClaimRowsMax: 10 },
      Sweep: { AfterMinutes: 1 },
      Stack: { Bus: 'service-bus', Secrets: 'key-vault' },
    };
    const all = told({ name: 'c.json', text: JSON.stringify(contradicting) });
    expect(all.map((line) => line.split(' ')[0])).toEqual([
      'Scanner:MaxChunkSize:',
      'Sweep:AfterMinutes:',
      'ServiceBus:Namespace:',
      'KeyVault:Url:',
    ]);
    const one = told({ name: 'c.json', text: JSON.stringify({ ...contradicting, Bus: { LockSeconds: 'x' } }) });
    expect(one.map((line) => line.split(' ')[0])).toEqual([
      'Bus:LockSeconds:',
      'Scanner:MaxChunkSize:',
      'ServiceBus:Namespace:',
      'KeyVault:Url:',
    ]);
  });

  it('a file that cannot be read hides nothing of the environment', () => {
    const lines = told(
      { name: 'c.json', text: '{"Redis": {"Url": "rediss://me:secret@host"' },
      { Log__Level: 'loud', Bus__LockSeconds: '0' },
    );
    expect(
      lines.filter((line) => /^configuration: expected a readable JSON file: line 1, /.test(line)).length,
    ).toBeGreaterThan(0);
    expect(lines.filter((line) => !line.startsWith('configuration')).map((line) => line.split(' ')[0])).toEqual([
      'Log:Level:',
      'Bus:LockSeconds:',
    ]);
    expect(lines.join()).not.toContain('secret');
  });

  it.each([
    ['c.json', '{"Scanner": {"SleepSeconds": 1,\n "SleepSeconds": 2}, "Bus": {},\n "Bus": {"LockSeconds": "x"}}'],
    ['c.yaml', 'Scanner:\n  SleepSeconds: 1\n  SleepSeconds: 2\nBus: {}\nBus:\n  LockSeconds: x\n'],
  ])('names written twice in %s are told with the rest', (name, text) => {
    expect(told({ name, text }).map((line) => line.replace(/ \(.*/, ''))).toEqual([
      expect.stringMatching(/^Bus: expected to be set once: it is written again in line \d$/),
      expect.stringMatching(/^Scanner:SleepSeconds: expected to be set once: it is written again in line \d$/),
      expect.stringMatching(/^Bus:LockSeconds: found "x"/),
    ]);
  });

  it('each wrong part of a list and of a map is told, and no secret with it', () => {
    const lines = told({
      name: 'c.json',
      text: JSON.stringify({
        Shards: {
          Names: ['a b', 'ok', 7, 'ok'],
          Registry: {
            'x:y': { server: 'h', database: 'd' },
            S: { server: '', database: 'd;x', secret: 'User ID=me;Password=hush', more: 1 },
            T: 5,
          },
        },
      }),
    });
    expect(lines.map((line) => line.split(': ')[0])).toEqual([
      'Shards:Names[0]', 'Shards:Names[2]', 'Shards:Names[3]', 'Shards:Registry', 'Shards:Registry.S.server', 'Shards:Registry.S.database',
      'Shards:Registry.S.secret', 'Shards:Registry.S.more', 'Shards:Registry.T',
    ]); // prettier-ignore
    expect(lines.join()).not.toContain('hush');
  });

  it.each(['a\u0000b', 'a\nb', '\u001b[2J', 'a\u200bb', '\ufeffa', 'a\u202eb', '\ud800', ' ', '\u3164'])(
    'a path that hides something is told: %j (issue 8, no 17)',
    (text) => {
      const folders = {
        Data: { Folder: text },
        Billers: { Folder: text },
        Secrets: { File: text },
        History: { WitnessFile: text },
        Seal: { Folder: text, PublicKeyFile: text },
      };
      expect(told({ name: 'c.json', text: JSON.stringify(folders) }).map((line) => line.split(': ')[0]).sort()).toEqual([
      'Billers:Folder', 'Data:Folder', 'History:WitnessFile', 'Seal:Folder', 'Seal:PublicKeyFile', 'Secrets:File',
    ]); // prettier-ignore
    },
  );

  it('a shard name that would be a path is told (issue 8, no 17)', () => {
    const names = ['../../etc/x', '/etc/x', '..', '.hidden', 'a\\b', 'a/b'];
    expect(
      told({ name: 'c.json', text: JSON.stringify({ Shards: { Names: [...names, 'Shard-1'] } }) }).map(
        (line) => line.split(': ')[0],
      ),
    ).toEqual(names.map((_, index) => `Shards:Names[${index}]`));
  });
});
