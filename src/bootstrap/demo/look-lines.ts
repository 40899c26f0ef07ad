import { relative } from 'node:path';
import { type Lines } from '../../adapters/command-line/printer';
import { type RecordKey } from '../../domain/identifiers';

/** As a POSIX shell reads it back: a path may hold blanks and quotes. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** How this very program was started, so that a command can be pasted: by npm's script, or by its file. */
export function programWords(
  environment: Readonly<Record<string, string | undefined>>,
  file: string,
): readonly string[] {
  return environment['npm_lifecycle_event'] === undefined ? ['node', file] : ['npm', 'run', '-s', 'datapump', '--'];
}

/** What to do when a demo is over: whole commands, a record of this demo in them. */
export function lookLines(program: readonly string[], configuration: string, record: RecordKey | undefined): Lines {
  const near = relative(process.cwd(), configuration);
  const file = near.startsWith('..') ? configuration : near;
  const command = (...words: readonly string[]): string =>
    `  ${[...program, '--config', file, ...words].map(shellWord).join(' ')}`;
  return [
    'Look into it with:',
    ...(record === undefined ? [] : [command('record', 'explain', record)]),
    command('status'),
  ];
}
