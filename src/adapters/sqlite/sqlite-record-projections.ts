import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type RecordProjection, type RecordProjections } from '../../application/ports/record-projection';
import { PRIVATE_FILE_MODE } from '../shared/private-file';
import { SqliteRecordProjection } from './sqlite-record-projection';

const SUFFIX = '.sqlite';
/** What SQLite keeps beside a file. */
const BESIDE_A_FILE = ['', '-wal', '-shm'];

/**
 * The record projection in files of one folder: `<name>.sqlite`, and after the first rebuild `<name>.<n>.sqlite`, where
 * `<name>.live` says which n. The one that is built beside it is n + 1. Every process looks at `<name>.live` each time it
 * asks for the live one; a file is never written over, so who still reads the former one reads it to its end.
 */
export class SqliteRecordProjections implements RecordProjections {
  private readonly stem: string;
  /** Opened here: the live one last; former ones until the end, since somebody may be reading them. */
  private readonly opened = new Map<number, SqliteRecordProjection>();
  private building: { readonly number: number; readonly projection: SqliteRecordProjection } | undefined;

  constructor(options: { readonly path: string }) {
    this.stem = options.path.slice(0, -SUFFIX.length);
  }

  async live(): Promise<RecordProjection> {
    const number = this.liveNumber();
    const open = this.opened.get(number) ?? new SqliteRecordProjection({ path: this.file(number) });
    this.opened.set(number, open);
    return open;
  }

  async beside(): Promise<RecordProjection> {
    const number = this.liveNumber() + 1;
    if (this.building && this.building.number !== number) {
      this.building.projection.close();
      this.building = undefined;
    }
    this.building ??= {
      number,
      projection: new SqliteRecordProjection({ path: this.file(number), building: true }),
    };
    return this.building.projection;
  }

  async takeOver(): Promise<void> {
    const { building } = this;
    if (!building || (await building.projection.position()) === undefined) return;
    this.building = undefined;
    try {
      building.projection.finish();
    } finally {
      building.projection.close();
    }
    if (this.liveNumber() + 1 !== building.number) return;
    const note = `${this.stem}.live.${process.pid}`;
    writeFileSync(note, String(building.number), { mode: PRIVATE_FILE_MODE });
    renameSync(note, `${this.stem}.live`);
    this.removeFormer(building.number);
  }

  close(): void {
    this.building?.projection.close();
    for (const projection of this.opened.values()) projection.close();
    this.building = undefined;
    this.opened.clear();
  }

  private file(number: number): string {
    return number === 0 ? `${this.stem}${SUFFIX}` : `${this.stem}.${number}${SUFFIX}`;
  }

  /** 0 where nothing was ever built beside another, and where what says so is gone or is none. */
  private liveNumber(): number {
    const note = `${this.stem}.live`;
    if (!existsSync(note)) return 0;
    const number = Number(readFileSync(note, 'utf8'));
    return Number.isSafeInteger(number) && number >= 0 ? number : 0;
  }

  /** A system that cannot remove what is open keeps it until the next time. */
  private removeFormer(live: number): void {
    const folder = dirname(this.stem);
    const name = basename(this.stem);
    for (const file of readdirSync(folder)) {
      const number = file === `${name}${SUFFIX}` ? 0 : numberIn(file, name);
      if (number === undefined || number >= live) continue;
      for (const beside of BESIDE_A_FILE) {
        try {
          rmSync(`${join(folder, file)}${beside}`, { force: true });
        } catch {
          // Open elsewhere, on a system that minds.
        }
      }
    }
  }
}

function numberIn(file: string, name: string): number | undefined {
  if (!file.startsWith(`${name}.`) || !file.endsWith(SUFFIX)) return undefined;
  const text = file.slice(name.length + 1, -SUFFIX.length);
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
