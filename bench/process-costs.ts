import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** Linux counts a process's time in ticks of 10 ms, and so does every Linux this runs on (USER_HZ is 100). */
const TICK_US = 10_000;

/** User and system time of a process so far; 0 where there is no /proc. */
export function cpuUsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  } catch {
    return 0;
  }
}

/** All the machine's processors together: what was spent, and what there was. Shows whether others worked meanwhile. */
export function machineUs(): { readonly busyUs: number; readonly stolenUs: number; readonly allUs: number } {
  try {
    const [user, nice, system, idle, wait, irq, soft, steal] = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]!
      .split(/\s+/)
      .slice(1)
      .map(Number);
    const busy = user! + nice! + system! + irq! + soft!;
    return { busyUs: busy * TICK_US, stolenUs: steal! * TICK_US, allUs: (busy + idle! + wait! + steal!) * TICK_US };
  } catch {
    return { busyUs: 0, stolenUs: 0, allUs: 0 };
  }
}

/** Commits to a SQLite file in WAL mode so far: the counter `iChange` of its wal-index (https://sqlite.org/walformat.html §2.3.1). */
export function commitsOf(file: string): number {
  const shm = openSync(`${file}-shm`, 'r');
  const bytes = Buffer.alloc(4);
  readSync(shm, bytes, 0, 4, 8);
  closeSync(shm);
  return bytes.readUInt32LE(0);
}
