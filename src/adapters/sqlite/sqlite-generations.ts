import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PRIVATE_FILE_MODE } from '../shared/private-file';

const SUFFIX = '.sqlite';
/** What SQLite keeps beside a file. */
const BESIDE_A_FILE = ['', '-wal', '-shm'];

/** A read model in one file. */
export interface Generation {
  position(): Promise<unknown>;
  /** It is whole: what only questions need is made. */
  finish(): void;
  close(): void;
}

/**
 * A read model in files of one folder: `<name>.sqlite`, and after the first rebuild `<name>.<n>.sqlite`, where `<name>.live`
 * says which n. The one that is built beside it is n + 1. Every process looks at `<name>.live` each time it asks for the
 * live one; a file is never written over, so who still reads the former one reads it to its end.
 */
export class SqliteGenerations<Model extends Generation> {
  private readonly stem: string;
  /** Opened here; former ones until the end, since somebody may be reading them. */
  private readonly opened = new Map<number, Model>();
  private building: { readonly number: number; readonly model: Model } | undefined;

  constructor(
    options: { readonly path: string },
    private readonly open: (options: { readonly path: string; readonly building?: boolean }) => Model,
  ) {
    this.stem = options.path.slice(0, -SUFFIX.length);
  }

  async live(): Promise<Model> {
    const number = this.liveNumber();
    const open = this.opened.get(number) ?? this.open({ path: this.file(number) });
    this.opened.set(number, open);
    return open;
  }

  async beside(): Promise<Model> {
    const number = this.liveNumber() + 1;
    if (this.building && this.building.number !== number) {
      this.building.model.close();
      this.building = undefined;
    }
    this.building ??= { number, model: this.open({ path: this.file(number), building: true }) };
    return this.building.model;
  }

  async takeOver(): Promise<void> {
    const { building } = this;
    if (!building || (await building.model.position()) === undefined) return;
    this.building = undefined;
    try {
      building.model.finish();
    } finally {
      building.model.close();
    }
    if (this.liveNumber() + 1 !== building.number) return;
    const note = `${this.stem}.live.${process.pid}`;
    writeFileSync(note, String(building.number), { mode: PRIVATE_FILE_MODE });
    renameSync(note, `${this.stem}.live`);
    this.removeFormer(building.number);
  }

  close(): void {
    this.building?.model.close();
    for (const model of this.opened.values()) model.close();
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
