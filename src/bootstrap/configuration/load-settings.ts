import { existsSync } from 'node:fs';
import { crossCheck } from './cross-checks';
import { type Declaration, DECLARATIONS, type SettingKey, type Settings } from './declarations';
import { readSettingsFile } from './read-settings-file';
import { HIDDEN, nearestName, type SettingProblem } from './setting-problem';

const DEFAULT_FILES = ['datapump.config.json', 'datapump.config.yaml', 'datapump.config.yml'] as const;

export interface SettingSources {
  /** A JSON or YAML file; undefined: the first of DEFAULT_FILES that lies in the working directory, if any. */
  readonly file?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** From the command line or a demo; wins over everything. */
  readonly overrides?: Partial<Settings>;
}

export type LoadedSettings = { readonly settings: Settings } | { readonly problems: readonly SettingProblem[] };

/** Defaults < file < environment (`Scanner__SleepSeconds`) < overrides. All problems at once, never only the first. */
export function loadSettings(sources: SettingSources): LoadedSettings {
  const read = readDeclared(DECLARATIONS, sources);
  const settings = read.values as Settings;
  const contradictions = crossCheck(settings, (key: SettingKey) => read.where.get(key) ?? 'default', read.unread);
  const problems = [...read.problems, ...contradictions];
  return problems.length > 0 ? { problems } : { settings };
}

interface Found {
  readonly value: unknown;
  readonly where: string;
}

/** Reads any table of declarations; what it returns is complete only where there are no problems. `unread`: whose value is not known. */
export function readDeclared(
  declarations: Readonly<Record<string, Declaration>>,
  sources: Omit<SettingSources, 'overrides'> & { readonly overrides?: object },
) {
  const problems: SettingProblem[] = [];
  const file = fromFile(sources.file, declarations, problems);
  const found = new Map<string, Found>([
    ...file.found,
    ...fromEnvironment(sources.environment, declarations, problems),
    ...fromOverrides(sources.overrides ?? {}, declarations, problems),
  ]);
  const values: Record<string, unknown> = {};
  const where = new Map<string, string>();
  const unread = new Set<string>();
  for (const [key, declaration] of Object.entries(declarations)) {
    values[key] = declaration.default;
    const set = found.get(key);
    if (!set) {
      if (file.lost(key)) unread.add(key);
      continue;
    }
    where.set(key, set.where);
    const value: unknown = declaration.kind.read(set.value);
    if (value !== undefined) {
      values[key] = value;
      continue;
    }
    unread.add(key);
    const { kind, secret } = declaration;
    const parts = kind.parts?.(set.value) ?? [];
    if (parts.length === 0)
      problems.push({ key, found: secret ? HIDDEN : set.value, expected: kind.expected, where: set.where });
    for (const { at, ...part } of parts) problems.push({ key: `${key}${at}`, ...part, where: set.where });
  }
  return { values, where, problems, unread };
}

type Declared = Readonly<Record<string, Declaration>>;

interface FromFile {
  readonly found: readonly [string, Found][];
  /** What the file says of it could not be read. */
  readonly lost: (key: string) => boolean;
}

const NOTHING_LOST = (): boolean => false;
const ALL_LOST = (): boolean => true;

function fromFile(named: string | undefined, declarations: Declared, problems: SettingProblem[]): FromFile {
  const present = DEFAULT_FILES.filter((name) => existsSync(name));
  if (named === undefined && present.length > 1) {
    problems.push({ key: '', found: present, expected: 'one configuration file', where: 'working directory' });
    return { found: [], lost: ALL_LOST };
  }
  const file = named ?? present[0];
  if (file === undefined) return { found: [], lost: NOTHING_LOST };
  const content = readSettingsFile(file, problems);
  if (content === undefined) return { found: [], lost: ALL_LOST };
  if (!isSection(content)) {
    problems.push({
      key: '',
      found: content,
      expected: 'sections with settings, such as { "Scanner": { "SleepSeconds": 5 } }',
      where: file,
    });
    return { found: [], lost: ALL_LOST };
  }
  const broken = new Set(
    Object.entries(content).flatMap(([section, members]) => (isSection(members) ? [] : [section])),
  );
  return {
    found: Object.entries(content).flatMap(([section, members]) =>
      fromSection(section, members, file, declarations, problems),
    ),
    lost: (key) => broken.has(key.split(':')[0]!),
  };
}

function fromSection(
  section: string,
  members: unknown,
  file: string,
  declarations: Declared,
  problems: SettingProblem[],
): [string, Found][] {
  const sections = [...new Set(Object.keys(declarations).map((key) => key.split(':')[0]!))];
  if (!sections.includes(section)) {
    problems.push({
      key: section,
      found: undefined,
      expected: `a known section${suggestion(section, sections)}`,
      where: file,
    });
    return [];
  }
  if (!isSection(members)) {
    problems.push({ key: section, found: members, expected: 'a section: names with values', where: file });
    return [];
  }
  return Object.entries(members).flatMap(([name, value]): [string, Found][] => {
    const key = `${section}:${name}`;
    if (Object.hasOwn(declarations, key)) return [[key, { value, where: file }]];
    problems.push({
      key,
      found: undefined,
      expected: `a known setting${suggestion(key, Object.keys(declarations))}`,
      where: file,
    });
    return [];
  });
}

/** Other programs' variables hold `__` too, so only those that begin with one of our sections can be slips. */
function fromEnvironment(
  environment: SettingSources['environment'],
  declarations: Declared,
  problems: SettingProblem[],
): [string, Found][] {
  const keys = Object.keys(declarations);
  const sections = new Set(keys.map((key) => key.split(':')[0]!.toLowerCase()));
  return Object.entries(environment).flatMap(([variable, value]): [string, Found][] => {
    if (value === undefined || !variable.includes('__') || !sections.has(variable.split('__')[0]!.toLowerCase()))
      return [];
    const key = variable.replace('__', ':');
    const where = `environment variable ${variable}`;
    if (Object.hasOwn(declarations, key)) return [[key, { value, where }]];
    const nearest = nearestName(key, keys)?.replace(':', '__');
    problems.push({
      key,
      found: undefined,
      expected: `a known setting${nearest ? `; did you mean ${nearest}?` : ''}`,
      where,
    });
    return [];
  });
}

function fromOverrides(overrides: object, declarations: Declared, problems: SettingProblem[]): [string, Found][] {
  return Object.entries(overrides).flatMap(([key, value]): [string, Found][] => {
    if (Object.hasOwn(declarations, key)) return [[key, { value, where: 'override' }]];
    problems.push({
      key,
      found: undefined,
      expected: `a known setting${suggestion(key, Object.keys(declarations))}`,
      where: 'override',
    });
    return [];
  });
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest ? `; did you mean ${nearest}?` : '';
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
