import { readFileSync } from 'node:fs';

/** What /proc tells of processes; undefined, too, on systems without it. */
function read(pid: number, file: 'stat' | 'status' | 'cmdline'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

/** Start time in ticks since boot: with the id it names one process and no other. */
export function startTicksOf(pid: number): string | undefined {
  // The name in brackets may hold blanks and brackets; the start time is the 20th field after it.
  return read(pid, 'stat')?.split(') ').at(-1)?.split(' ')[19];
}

export const peakResidentKib = (pid: number): number | undefined => {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(read(pid, 'status') ?? '');
  return found ? Number(found[1]) : undefined;
};

export const runsProgram = (pid: number, program: string): boolean =>
  (read(pid, 'cmdline') ?? '').split('\0').some((part) => part.endsWith(program));

/** Highest resident memory per process name, over all the processes that had the name. */
export class MemoryPeaks {
  private readonly peaks = new Map<string, number>();

  sample(running: ReadonlyMap<string, number>): void {
    for (const [name, pid] of running) {
      const kib = peakResidentKib(pid);
      if (kib !== undefined && kib > (this.peaks.get(name) ?? 0)) this.peaks.set(name, kib);
    }
  }

  mebibytes(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.peaks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, kib]) => [name, Math.round(kib / 102.4) / 10]),
    );
  }
}
