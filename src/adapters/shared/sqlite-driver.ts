import type BetterSqlite3 from 'better-sqlite3';

/**
 * better-sqlite3 in the line that runs on this Node. Line 12 is the last for Node 20; compiled against Node 24.19 or
 * newer it aborts the process when an idle collection finalizes a statement (its objects derive from node::ObjectWrap,
 * whose destructor then wants an environment). Line 13 speaks Node-API, ships its binaries and needs Node 22; it is an
 * optional dependency, so that npm on Node 20 does not warn of it.
 */
const NODE_MAJOR_FOR_LINE_13 = 22;

export function loadDriver(nodeVersion: string, load: (name: string) => unknown): typeof BetterSqlite3 {
  const line = Number(nodeVersion.split('.')[0]) >= NODE_MAJOR_FOR_LINE_13 ? 'better-sqlite3-13' : 'better-sqlite3';
  try {
    return load(line) as typeof BetterSqlite3;
  } catch (error) {
    throw new Error(
      `${line}, which reads and writes the files of the embedded stack on Node ${nodeVersion}, ${remedyOf(line, error)}`,
      { cause: error },
    );
  }
}

function remedyOf(line: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'MODULE_NOT_FOUND')
    return 'cannot be loaded: it was installed for another Node, system or processor; install again on this one: npm ci';
  return line === 'better-sqlite3-13'
    ? 'is not installed: npm leaves an optional dependency out with --omit=optional, and where it was installed under Node 20; install again under this Node: npm ci --include=optional'
    : 'is not installed: npm ci';
}

// eslint-disable-next-line @typescript-eslint/no-require-imports -- which package to load is known at run time only
export const Database = loadDriver(process.versions.node, (name) => require(name) as unknown);
export type Database = BetterSqlite3.Database;
