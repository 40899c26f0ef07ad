import type BetterSqlite3 from 'better-sqlite3';

/**
 * better-sqlite3 in the line that runs on this Node. Line 12 is the last for Node 20; compiled against Node 24.19 or
 * newer it aborts the process when an idle collection finalizes a statement (its objects derive from node::ObjectWrap,
 * whose destructor then wants an environment). Line 13 speaks Node-API, ships its binaries and needs Node 22.
 */
const NODE_MAJOR_FOR_LINE_13 = 22;
const line = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_FOR_LINE_13 ? 'better-sqlite3-13' : 'better-sqlite3';

// eslint-disable-next-line @typescript-eslint/no-require-imports -- which package to load is known at run time only
export const Database = require(line) as typeof BetterSqlite3;
export type Database = BetterSqlite3.Database;
