import { type Command } from 'commander';
import { type Lines, printer } from '../../adapters/command-line/printer';

const JSON_INDENT = 2;

/** One answer, as text for people or as JSON for programs. */
export function answer(options: { readonly json?: boolean }, json: object, lines: () => Lines): void {
  if (options.json) printer.printJson(json, JSON_INDENT);
  else printer.print(lines());
}

/** The line over a table: where its numbers come from, and when they were read. */
export const sourceLine = (source: string, readAt: string): string => `source: ${source}, read ${readAt}`;

/** The flags of every verb that changes something. */
export const withOrder = (command: Command): Command =>
  command
    .option('--apply', 'do it; without this the plan is shown and nothing is changed')
    .option('--reason <text>', 'why; stored with the change')
    .option('--by <name>', 'who says to order it; kept beside the user that the system knows');

export const NOTHING_CHANGED = 'nothing was changed; add --apply --reason "…" to do it';

/** `3 dead letters`, `1 dead letter`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** What a command went past because it could not be read; nothing where there is none. */
export const unreadLines = (unread: readonly string[]): readonly string[] =>
  unread.length === 0
    ? []
    : [
        `could not be read (${unread.length}):`,
        ...unread.map((what) => `  ${what}`),
        'next: docs/runbooks/history-tampered.md',
      ];
