import { visible, visibleJson } from '../../domain/invisible-text';

/**
 * What people read, line by line. A line is one line whatever is in it: texts from outside can neither break it nor
 * move the cursor, since each goes through `visible` on its way out. Breaks between lines are ours alone.
 */
export type Lines = readonly string[];

const asText = (lines: Lines): string => lines.map((line) => `${visible(line)}\n`).join('');

/** The one way to a terminal: test/architecture/terminal.test.ts finds every other. */
export const printer = {
  /** An answer, to stdout. */
  print(lines: Lines): void {
    process.stdout.write(asText(lines));
  },
  /** What went wrong, to stderr. */
  complain(lines: Lines): void {
    process.stderr.write(asText(lines));
  },
  /** An answer for programs. */
  printJson(value: object, indent?: number): void {
    process.stdout.write(`${visibleJson(JSON.stringify(value, undefined, indent))}\n`);
  },
};

/** Where log lines (JSON) go: `to` gets them with nothing hidden in them. */
export const logStream = (to: { write(text: string): unknown }): { write(line: string): void } => ({
  write: (line) => void to.write(visibleJson(line)),
});
