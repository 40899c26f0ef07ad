import { createPrivately } from '../shared/private-file';
import { Database } from '../shared/sqlite-driver';

/** "SBXL" in SQLite's application_id: tells our ledger from any other database file. */
const APPLICATION_ID = 0x5342584c;
const SCHEMA_VERSION = 1;

/** The first three tables are read by whoever proves a run; the others are the sandbox's own memory. */
const TABLES = `
CREATE TABLE effects (
  effect_id INTEGER PRIMARY KEY, biller_id TEXT NOT NULL, reference TEXT NOT NULL, data_type TEXT NOT NULL,
  amount_minor_units INTEGER, currency TEXT, idempotency_key TEXT, biller_reference TEXT NOT NULL, at TEXT NOT NULL,
  cause TEXT NOT NULL
) STRICT;
-- Not unique: a second effect of one record must be possible, or a double could never be seen.
CREATE INDEX effects_by_reference ON effects (biller_id, reference);
CREATE TABLE declines (biller_id TEXT NOT NULL, reference TEXT NOT NULL, code TEXT NOT NULL, at TEXT NOT NULL) STRICT;
CREATE INDEX declines_by_reference ON declines (biller_id, reference);
CREATE TABLE faults (kind TEXT NOT NULL, biller_id TEXT NOT NULL, reference TEXT NOT NULL, occurrence INTEGER NOT NULL, at TEXT NOT NULL) STRICT;

CREATE TABLE occurrences (biller_id TEXT NOT NULL, reference TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (biller_id, reference)) STRICT, WITHOUT ROWID;
-- No status and answer yet: the request of this key is still in flight.
CREATE TABLE idempotency_keys (
  biller_id TEXT NOT NULL, key TEXT NOT NULL, body_hash TEXT NOT NULL, first_used_ms INTEGER NOT NULL, status INTEGER, answer TEXT,
  PRIMARY KEY (biller_id, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE late_effects (
  late_id INTEGER PRIMARY KEY, biller_id TEXT NOT NULL, reference TEXT NOT NULL, data_type TEXT NOT NULL, amount_minor_units INTEGER,
  currency TEXT, idempotency_key TEXT, decline_code TEXT, requested_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL, seen_as_pending INTEGER NOT NULL
) STRICT;
CREATE INDEX late_effects_by_due ON late_effects (due_ms);
CREATE INDEX late_effects_by_reference ON late_effects (biller_id, reference);
`;

/** Opens or makes a ledger file; throws with the file's name and the reason where it is not ours or too new. */
export function openLedgerFile(file: string): Database {
  let database: Database | undefined;
  try {
    createPrivately(file);
    database = new Database(file, { timeout: 5_000 });
    const tables = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
    const owner = database.pragma('application_id', { simple: true });
    const version = database.pragma('user_version', { simple: true }) as number;
    if (tables > 0 && owner !== APPLICATION_ID) throw new Error('it is a database, but not a sandbox ledger');
    if (version > SCHEMA_VERSION)
      throw new Error(`its version is ${version}, this program knows up to ${SCHEMA_VERSION}`);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    // KiB. The default of 16 MB would fill as the ledger grows and make memory depend on the number of records.
    database.pragma('cache_size = -4000');
    if (tables === 0) {
      database.exec(
        `BEGIN; ${TABLES} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`,
      );
    }
    return database;
  } catch (error) {
    database?.close();
    throw new Error(`cannot open the ledger ${file}: ${(error as Error).message}`, { cause: error });
  }
}
