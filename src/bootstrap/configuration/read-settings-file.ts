import { readFileSync } from 'node:fs';
import { isScalar, LineCounter, parseDocument, visit, type YAMLError } from 'yaml';
import { type SettingProblem } from './setting-problem';

/**
 * A JSON or YAML file as its value; undefined where it cannot be read. Every fault of it is told by its line, and never
 * by its text, which may hold a password. A name written twice is a fault in JSON too: one of the two would be dropped
 * without a word.
 */
export function readSettingsFile(file: string, problems: SettingProblem[]): unknown {
  const isJson = file.endsWith('.json');
  const wrong = (expected: string, key = ''): void =>
    void problems.push({ key, found: undefined, expected, where: file });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    wrong(`a readable ${isJson ? 'JSON' : 'YAML'} file: ${whyUnreadable(error)}`);
    return undefined;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: true,
  });
  const lineOf = (offset: number): number => lines.linePos(offset).line;
  if (!isJson || !isSoundJson(text)) {
    const broken = document.errors.map(
      (error: YAMLError) => `line ${lineOf(error.pos[0])}, ${error.code.toLowerCase().replaceAll('_', ' ')}`,
    );
    if (broken.length === 0 && isJson) broken.push('it is YAML, and its name ends with .json');
    for (const what of broken) wrong(`a readable ${isJson ? 'JSON' : 'YAML'} file: ${what}`);
    if (broken.length > 0) return undefined;
  }
  for (const { name, offset } of repeatedNames(document))
    wrong(`to be set once: it is written again in line ${lineOf(offset)}`, name);
  if (isJson) return JSON.parse(text) as unknown;
  try {
    return (document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown) ?? {};
  } catch {
    wrong(`a readable YAML file: at most ${ALIASES_MAX} uses of one anchor`);
    return undefined;
  }
}

function whyUnreadable(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'there is no such file (ENOENT)' : `it cannot be read (${code ?? 'unknown'})`;
}

const ALIASES_MAX = 100;

function isSoundJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** `Section:Name` of each name that stands a second time in its map. */
function repeatedNames(
  document: ReturnType<typeof parseDocument>,
): readonly { readonly name: string; readonly offset: number }[] {
  const found: { readonly name: string; readonly offset: number }[] = [];
  visit(document, {
    Map: (_key, map, path) => {
      const above = path.flatMap((node) =>
        typeof node === 'object' && 'key' in node && isScalar(node.key) ? [String(node.key.value)] : [],
      );
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value))
          found.push({ name: [...above, String(key.value)].join(':'), offset: key.range?.[0] ?? 0 });
        seen.add(key.value);
      }
    },
  });
  return found;
}
