import { closeSync, existsSync, fchmodSync, openSync } from 'node:fs';

export const PRIVATE_FILE_MODE = 0o600;

/** A new file of a database is its owner's alone, whatever the umask; SQLite gives what it keeps beside it the same mode. */
export function createPrivately(path: string): void {
  if (path === ':memory:' || existsSync(path)) return;
  try {
    const file = openSync(path, 'wx', PRIVATE_FILE_MODE);
    fchmodSync(file, PRIVATE_FILE_MODE);
    closeSync(file);
  } catch {
    // Another process was first, or it cannot be made: opening it tells.
  }
}
