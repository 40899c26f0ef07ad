import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PortFailure } from '../../application/ports/failures';
import { type SealCopy } from '../../application/history/history-seal';
import { type SealWitness, type SetAside } from '../../application/ports/seal-witness';
import { asideOfText, asideText, checkCopies, copyOfText, newCopies } from '../shared/seal-copies';

/** Seals in one file, about 12 MB: a file that is full is never opened for writing again. */
const SEALS_PER_FILE = 1_000;
const FILE = /^seals-(\d{6,9})\.jsonl$/;
/** What was set aside, a line each, for people; the same line in a file of seals ends what stands above it. */
const ASIDES_FILE = 'set-aside.jsonl';
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

interface Part {
  readonly ordinal: number;
  readonly bytes: number;
  readonly changedMs: number;
  readonly copies: ReadonlyMap<number, SealCopy>;
}

/**
 * Whole seals, a line of JSON each, in files that are only ever appended to: `seals-000000.jsonl` holds the first
 * thousand. Put the folder where whoever may write the event store may not, or carry the files away.
 *
 * A line that was torn by a crash is passed over, and the next one begins on a line of its own. Where two lines hold one
 * number the last one that is a seal counts.
 */
export class FileSealWitness implements SealWitness {
  readonly name = 'file';
  private newestPart: Part | undefined;

  constructor(private readonly folder: string) {}

  get place(): string {
    return this.folder;
  }

  async keep(copies: readonly SealCopy[]): Promise<'kept' | 'refused'> {
    return this.naming('keep copies of seals', async () => {
      const newest = (await this.newestOnDisk())?.number ?? 0;
      const parts = new Map<number, Part | undefined>();
      for (const ordinal of new Set(copies.map(({ number }) => ordinalOf(number))))
        parts.set(ordinal, await this.part(ordinal));
      const added = newCopies(copies, newest, (number) => parts.get(ordinalOf(number))?.copies.get(number));
      if (added === 'refused') return added;
      for (const ordinal of new Set(added.map(({ number }) => ordinalOf(number))))
        await this.append(
          this.path(ordinal),
          added.filter(({ number }) => ordinalOf(number) === ordinal).map((copy) => JSON.stringify(copy)),
        );
      return 'kept';
    });
  }

  async setAside(aside: SetAside): Promise<void> {
    await this.naming('set copies of seals aside', async () => {
      // The newest files first: cut off in between, what is left can still be set aside.
      const touched = (await this.ordinals()).filter((ordinal) => ordinal >= ordinalOf(aside.from)).reverse();
      for (const ordinal of touched) await this.append(this.path(ordinal), [asideText(aside)]);
      await this.append(join(this.folder, ASIDES_FILE), [asideText(aside)]);
    });
  }

  async asides(): Promise<readonly SetAside[]> {
    return this.naming('read what was set aside', async () => {
      const text = await readFile(join(this.folder, ASIDES_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return '';
        throw error;
      });
      return text.split('\n').flatMap((line) => asideOfText(line) ?? []);
    });
  }

  async newest(): Promise<SealCopy | undefined> {
    return this.naming('read the newest seal', () => this.newestOnDisk());
  }

  async read({ from, max }: { readonly from: number; readonly max: number }): Promise<readonly SealCopy[]> {
    checkCopies(max);
    return this.naming('read the seals', async () => {
      const found: SealCopy[] = [];
      for (const ordinal of (await this.ordinals()).filter((each) => each >= ordinalOf(from))) {
        const part = await this.part(ordinal);
        const copies = [...(part?.copies.values() ?? [])].sort((a, b) => a.number - b.number);
        found.push(...copies.filter(({ number }) => number >= from).slice(0, max - found.length));
        if (found.length >= max) break;
      }
      return found;
    });
  }

  private async newestOnDisk(): Promise<SealCopy | undefined> {
    for (const ordinal of (await this.ordinals()).reverse()) {
      const part = await this.part(ordinal);
      const newest = Math.max(0, ...(part?.copies.keys() ?? []));
      if (newest > 0) return part!.copies.get(newest);
    }
    return undefined;
  }

  private async ordinals(): Promise<number[]> {
    const files = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return files
      .flatMap((file) => FILE.exec(file)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** Read again only where the file has changed: a verification asks for one part many times. */
  private async part(ordinal: number): Promise<Part | undefined> {
    const path = this.path(ordinal);
    const state = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (!state) return undefined;
    const known = this.newestPart;
    if (known?.ordinal === ordinal && known.bytes === state.size && known.changedMs === state.mtimeMs) return known;
    const copies = copiesIn(await readFile(path, 'utf8'), ordinal);
    return (this.newestPart = { ordinal, bytes: state.size, changedMs: state.mtimeMs, copies });
  }

  private async append(path: string, lines: readonly string[]): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: FOLDER_MODE });
    const file = await open(path, constants.O_APPEND | constants.O_CREAT | constants.O_RDWR, FILE_MODE);
    try {
      const { size } = await file.stat();
      const last = Buffer.alloc(1);
      if (size > 0) await file.read(last, 0, 1, size - 1);
      const torn = size > 0 && last.toString() !== '\n';
      await file.appendFile(`${torn ? '\n' : ''}${lines.map((line) => `${line}\n`).join('')}`);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private path(ordinal: number): string {
    return join(this.folder, `seals-${String(ordinal).padStart(6, '0')}.jsonl`);
  }

  private async naming<T>(step: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === undefined || error instanceof PortFailure) throw error;
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      throw new PortFailure(
        `failed to ${step} in ${this.folder} (${code}): ${full ? 'free some space' : 'let this user read and write that folder, or name another one as Seal:Folder'}`,
        { code: full ? 'storage-full' : 'storage-broken', retryable: full, facts: { path: this.folder }, cause: error },
      );
    }
  }
}

const ordinalOf = (number: number): number => Math.floor((number - 1) / SEALS_PER_FILE);

function copiesIn(text: string, ordinal: number): ReadonlyMap<number, SealCopy> {
  const copies = new Map<number, SealCopy>();
  // Behind the last line's end stands nothing, or what a crash tore.
  for (const line of text.split('\n').slice(0, -1)) {
    const aside = line.startsWith('{"setAside":') ? asideOfText(line) : undefined;
    if (aside) for (const number of [...copies.keys()]) if (number >= aside.from) copies.delete(number);
    const number = Number(/^\{"number":(\d{1,12}),/.exec(line)?.[1]);
    if (!Number.isSafeInteger(number) || ordinalOf(number) !== ordinal) continue;
    const copy = copyOfText(number, line);
    if (copy.digest !== 'unreadable' || !copies.has(number)) copies.set(number, copy);
  }
  return copies;
}
