import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command } from 'commander';
import { createProgram } from '../../src/bootstrap/command-line/program';
import { ROOT, sourceFiles } from './source-files';

/** A command as a text names it, up to what ends a sentence, a quotation or the line. */
const NAMED = /\bdatapump(?: --(?= ))?((?: +(?:--?)?[a-z][a-z-]*| +[<"'[{$(/.0-9A-Z…*|][^\s`'";,]*)+)/g;
/** Words that follow the program's name where a sentence speaks of it and names no command. */
const PROSE = new Set([
  'is',
  'was',
  'delivers',
  'has',
  'had',
  'wrote',
  'file',
  'files',
  'reads',
  'that',
  'and',
  'of',
  'to',
  'in',
  'a',
  'the',
  'does',
  'never',
  'needs',
  'process',
  'processes',
  'exits',
  'takes',
  'writes',
  'with',
  'for',
  'on',
  'its',
  'or',
  'as',
  'by',
  'at',
  // SQL speaks of the table of that name.
  'an',
  'were',
  'joined',
  'd',
]);

interface Naming {
  readonly where: string;
  readonly words: readonly string[];
}

const inDocuments = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !path.startsWith('adr'))
    .map((path) => `docs/${path}`),
  ...readdirSync(join(ROOT, 'deploy'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(md|sh|bicep|sql)$|Dockerfile$/.test(path))
    .map((path) => `deploy/${path}`),
].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

const namings: readonly Naming[] = [...inDocuments, ...sourceFiles('src')].flatMap(({ path, text }) =>
  [...text.matchAll(NAMED)].map((match) => ({ where: path, words: match[1]!.trim().split(/ +/) })),
);

/** What is wrong with a command as named; undefined: it exists, with every flag that is named. */
function wrongWith(words: readonly string[]): string | undefined {
  let command: Command = createProgram();
  const path: Command[] = [command];
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((child) => child.name() === words[at]);
    if (!next) break;
    command = next;
    path.push(next);
  }
  if (path.length === 1)
    return /^[a-z]/.test(words[0]!) && !PROSE.has(words[0]!) ? `there is no command ${words[0]}` : undefined;
  if (command.commands.length > 0 && at < words.length && /^[a-z]/.test(words[at]!))
    return `${command.name()} has no verb ${words[at]}`;
  const flags = new Set(path.flatMap(({ options }) => options.map(({ long }) => long)));
  for (const word of words.slice(at)) {
    const flag = /^\[?(--[a-z][a-z-]*)/.exec(word)?.[1];
    if (flag !== undefined && flag !== '--help' && !flags.has(flag)) return `${command.name()} has no flag ${flag}`;
  }
  return undefined;
}

it('finds the commands that texts name, and what is wrong with them', () => {
  expect(namings.length).toBeGreaterThan(40);
  expect(wrongWith(['deadletter', 'list', '--type', '<type>'])).toBeUndefined();
  expect(wrongWith(['deadletter', 'lost'])).toBe('deadletter has no verb lost');
  expect(wrongWith(['deadletters', 'list'])).toBe('there is no command deadletters');
  expect(wrongWith(['deadletter', 'list', '--all'])).toBe('list has no flag --all');
});

it('every command that a document, a hint or an error names exists, with the flags that it names (issue 8, no 21)', () => {
  const wrong = namings.flatMap(({ where, words }) => {
    const what = wrongWith(words);
    return what === undefined ? [] : [`${where}: datapump ${words.join(' ')}: ${what}`];
  });
  expect(wrong).toEqual([]);
});
