import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PRIVATE_FILE_MODE } from '../shared/private-file';
import { PortFailure } from '../../application/ports/failures';

const FOLDER_MODE = 0o700;
const OTHERS = 0o077;
/** So many files are named; one command mends all of them. */
const NAMED_MAX = 5;

/** Makes the folder and those above it that are missing; what it makes is its owner's alone, whatever the umask. */
export function makePrivateFolder(path: string): void {
  const topmost = mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
  if (topmost === undefined) return;
  for (let made = path; made.length >= topmost.length; made = dirname(made)) chmodSync(made, FOLDER_MODE);
}

/**
 * Payments and histories lie in the folder: one that others may read or write, or that is another user's, is refused
 * as PostgreSQL does. Files written there by somebody else's rights would not open for the next process either.
 */
export function demandPrivate(folder: string): void {
  if (whyNotChecked(folder) !== undefined) return;
  const problem = exposure(folder);
  if (problem === undefined) return;
  throw new PortFailure(problem, { code: 'storage-exposed', retryable: false, facts: { path: folder } });
}

/** Undefined: permissions are checked here. */
export function whyNotChecked(folder: string): string | undefined {
  if (process.platform === 'win32') return 'this system has no permission bits';
  if (!existsSync(folder) || (statSync(folder).mode & OTHERS) === 0) return undefined;
  return keepsModes(folder) ? undefined : `the file system of ${folder} keeps no permission bits`;
}

function exposure(folder: string): string | undefined {
  const own = statSync(folder);
  const user = process.getuid!();
  const others = filesIn(folder).filter(({ facts }) => facts.uid !== user);
  if (own.uid !== user || others.length > 0) {
    const found = own.uid !== user ? { path: folder, facts: own } : others[0]!;
    return `${found.path} belongs to user ${found.facts.uid} and this process runs as user ${user}, expected the same: run it as its owner (sudo -u '#${own.uid}' …), or give it to this user: chown -R ${user} ${quoted(folder)}`;
  }
  const open = filesIn(folder).filter(({ facts }) => (facts.mode & OTHERS) !== 0);
  if ((own.mode & OTHERS) === 0 && open.length === 0) return undefined;
  const what =
    (own.mode & OTHERS) === 0
      ? `${open
          .slice(0, NAMED_MAX)
          .map(({ path, facts }) => `${path} (mode ${octal(facts)})`)
          .join(', ')}${open.length > NAMED_MAX ? ` and ${open.length - NAMED_MAX} more` : ''}`
      : `${folder} (mode ${octal(own)})`;
  return `${what} may be used by other users of this machine, expected mode 700 of folders and 600 of files, since payments lie there: chmod 700 ${quoted(folder)} and chmod 600 its files, or all at once: chmod -R u=rwX,go= ${quoted(folder)}`;
}

interface Found {
  readonly path: string;
  readonly facts: Stats;
}

/** Database files with what SQLite keeps beside them, and the folders between. */
const OURS = /\.sqlite(-wal|-shm|-journal)?$/;

function filesIn(folder: string): readonly Found[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): readonly Found[] => {
    const path = join(folder, entry.name);
    const isShards = entry.isDirectory() && entry.name === 'shards';
    if (!isShards && !OURS.test(entry.name)) return [];
    // It may be gone by now: SQLite takes its companions away when the last process closes a file.
    const facts = statSync(path, { throwIfNoEntry: false });
    return facts === undefined ? [] : [{ path, facts }, ...(isShards ? filesIn(path) : [])];
  });
}

/** Asked only where the folder looks open: FAT and some shared folders show every file as open to all. */
function keepsModes(folder: string): boolean {
  const probe = join(folder, `.datapump-permissions-${process.pid}`);
  try {
    const file = openSync(probe, 'wx', PRIVATE_FILE_MODE);
    try {
      fchmodSync(file, PRIVATE_FILE_MODE);
      return (fstatSync(file).mode & OTHERS) === 0;
    } finally {
      closeSync(file);
      rmSync(probe, { force: true });
    }
  } catch {
    return true;
  }
}

const octal = ({ mode }: Stats): string => (mode & 0o777).toString(8);
const quoted = (path: string): string => `'${path.replaceAll("'", `'\\''`)}'`;
