import { closeSync, openSync, writeSync } from 'node:fs';
import { UsageProblems } from './problems';

/** Rejected lines that a summary lists; the file and stderr hold all of them. */
const REJECTED_LISTED_MAX = 1_000;

export interface Rejected {
  readonly line: number;
  readonly reason: string;
}

export interface RejectsFile {
  readonly listed: readonly Rejected[];
  readonly add: (line: number, reason: string) => void;
  readonly close: () => void;
}

/** Where the lines that were not loaded are noted. A file that stands already is never written over. */
export function openRejectsFile(path: string | undefined): RejectsFile {
  const listed: Rejected[] = [];
  const file = path === undefined ? undefined : newFile(path);
  if (file !== undefined) writeSync(file, 'line,reason\n');
  return {
    listed,
    add: (line, reason) => {
      if (listed.length < REJECTED_LISTED_MAX) listed.push({ line, reason });
      if (file !== undefined) writeSync(file, `${line},"${reason.replaceAll('"', '""')}"\n`);
    },
    close: () => {
      if (file !== undefined) closeSync(file);
    },
  };
}

/** For its owner alone: reasons show values of the file. */
function newFile(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new UsageProblems([`--rejects: ${path} cannot be made (${code}), expected a file that is not there yet`]);
  }
}
