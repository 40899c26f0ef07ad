import { type Command } from 'commander';

/** One answer, as text for people or as JSON for programs. */
export function answer(options: { readonly json?: boolean }, json: object, text: () => string): void {
  process.stdout.write(options.json ? `${JSON.stringify(json, undefined, 2)}\n` : `${text()}\n`);
}

/** The line over a table: where its numbers come from, and when they were read. */
export const sourceLine = (source: string, readAt: string): string => `source: ${source}, read ${readAt}`;

/** The flags of every verb that changes something. */
export const withOrder = (command: Command): Command =>
  command
    .option('--apply', 'do it; without this the plan is shown and nothing is changed')
    .option('--reason <text>', 'why; stored with the change')
    .option('--by <name>', 'who orders it (default: the user of this system)');

export const NOTHING_CHANGED = 'nothing was changed; add --apply --reason "…" to do it';

/** `3 dead letters`, `1 dead letter`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
