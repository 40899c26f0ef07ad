import { DEFAULT_LIMITS } from '../../src/adapters/sql-server/connection-settings';
import { CREATE_VERSIONS_TABLE, MIGRATIONS, SCHEMA_VERSION } from '../../src/adapters/sql-server/migrations';
import { LOCK_TIMEOUT_MS, SCHEMA_STATEMENTS } from '../../src/adapters/sql-server/migrate';
import { ROW_KEYS } from '../../src/adapters/sql-server/row-key';
import { KNOWN_HISTORY_STATEMENTS } from '../../src/adapters/sql-server/known-history';
import { claimingStatements, OUTBOX_STATEMENTS } from '../../src/adapters/sql-server/shard-claiming';
import { IMPORT_STATEMENTS } from '../../src/adapters/sql-server/shard-import';
import { rowStatements } from '../../src/adapters/sql-server/shard-rows';
import { statusStatements } from '../../src/adapters/sql-server/shard-statuses';
import { SEAL_STATEMENTS } from '../../src/adapters/sql-server/sql-server-seal-witness';
import { TOTAL_STATEMENTS } from '../../src/adapters/sql-server/shard-totals';
import { type Statement } from '../../src/adapters/sql-server/sql-text';
import { ROW_STATUSES } from '../../src/domain/dp-record/row-status';
import { sourceFiles } from '../architecture/source-files';

type Named = readonly [string, Statement];

const named = (of: string, statements: Readonly<Record<string, Statement | undefined>>): readonly Named[] =>
  Object.entries(statements).flatMap(([name, each]) => (each ? [[`${of} ${name}`, each] as const] : []));

const STATEMENTS: readonly Named[] = [
  ...ROW_KEYS.flatMap((key) => [
    ...named(`claiming (${key.name})`, claimingStatements(key)),
    ...named(`statuses (${key.name})`, statusStatements(key)),
    ...named(`rows (${key.name})`, rowStatements(key)),
  ]),
  ...named('outbox', OUTBOX_STATEMENTS),
  ...named('import', IMPORT_STATEMENTS),
  ...named('totals', TOTAL_STATEMENTS),
  ...named('seals', SEAL_STATEMENTS),
  ...named('known history', KNOWN_HISTORY_STATEMENTS),
  ...named('schema', SCHEMA_STATEMENTS),
];

const MIGRATION_BATCHES: readonly Named[] = ROW_KEYS.flatMap((key) =>
  [CREATE_VERSIONS_TABLE, ...MIGRATIONS.flatMap(({ batches }) => batches(key))].map(
    (text, index) => [`migration batch ${index} (${key.name})`, { text, parameters: {} }] as const,
  ),
);

/** Words that a statement may hold as text: the statuses, the data types, and what our own answers are called. */
const WORDS = [
  ...ROW_STATUSES,
  'Payments',
  'ACHRejects',
  'USD',
  '',
  ...'0123456789',
  'applied',
  'row-missing',
  'already-so',
  'refused',
];

/** What SQL Server forbids or compatible engines refuse, do differently, or count wrongly (docs/SQL-SERVER.md). */
const FAULTS: Readonly<Record<string, (text: string) => boolean>> = {
  'uses MERGE': (text) => /\bMERGE\b/i.test(text),
  'uses WAITFOR': (text) => /\bWAITFOR\b/i.test(text),
  'updates through a common table expression': (text) => /\bWITH\s+\w+\s*(\([^)]*\))?\s+AS\s*\(/i.test(text),
  'reads deleted in OUTPUT': (text) => /\bdeleted\s*\./i.test(text),
  'outputs without INTO': (text) =>
    (text.match(/\bOUTPUT\b/g) ?? []).length !==
    (text.match(/\bOUTPUT inserted\.\w+(, inserted\.\w+)* INTO @\w+ \(\w+(, \w+)*\)/g) ?? []).length,
  'outputs more or fewer columns than it stores': (text) =>
    [...text.matchAll(/OUTPUT (inserted\.[^@]+?) INTO @\w+ \(([^)]*)\)/g)].some(
      ([, from, into]) => from!.split(',').length !== into!.split(',').length,
    ),
  'counts rows': (text) => /@@ROWCOUNT|ROWCOUNT_BIG/i.test(text),
  'sets NOCOUNT': (text) => /\bNOCOUNT\b/i.test(text),
  'creates or alters': (text) => /\bCREATE\s+OR\s+ALTER\b/i.test(text),
  prepares: (text) => /\bsp_prep/i.test(text),
  'guards by names of indexes': (text) => /\bsys\s*\.\s*indexes\b/i.test(text),
  'reads uncommitted rows': (text) => /\bNOLOCK\b|READUNCOMMITTED/i.test(text),
  'updates with TOP': (text) => /\bUPDATE\s+TOP\b/i.test(text),
  'updates FROM': (text) =>
    text.split(';').some((each) => /^\s*UPDATE\b/.test(each) && /\bFROM\b/.test(withoutParentheses(each))),
  'finds its rows through a table variable without pinning the seek': (text) =>
    text
      .split(';')
      .some((each) => /^\s*UPDATE\b[^]*\bDpId IN \(\s*SELECT/.test(each) && !/OPTION \(LOOP JOIN\)$/.test(each)),
  'sorts what it joined': (text) => /ORDER BY k\.Place/.test(text),
  'uses brackets in LIKE': (text) => /LIKE N?'[^']*\[/i.test(text),
  'compares names of the catalogue with its own case': (text) => /(?<!LOWER\()\b[tc]\.TABLE_NAME\s+(=|IN)/.test(text),
  'throws with its transaction open': (text) => /(?<!ROLLBACK TRANSACTION;\s*)\bTHROW\b/.test(text),
  'skips locked rows without READCOMMITTEDLOCK': (text) => /READPAST(?![^)]*READCOMMITTEDLOCK)/.test(text),
  'updates everything': (text) => text.split(';').some((each) => /^\s*UPDATE\b/.test(each) && !/\bWHERE\b/.test(each)),
  'casts to a type with a collation': (text) => /CAST\((?:[^()]|\([^)]*\))* AS [^,]*?\)? COLLATE/.test(text),
  'gives OPENJSON an alias': (text) => /FROM OPENJSON\(@\w+\) WITH \((?:[^()]|\([^)]*\))*\)\s+AS\b/.test(text),
  'lets OPENJSON convert a time': (text) => /OPENJSON\(@\w+\) WITH \((?:[^()]|\([^)]*\))*datetime2/.test(text),
  'begins a transaction without ending it, or without XACT_ABORT': (text) =>
    (text.match(/BEGIN TRANSACTION;/g) ?? []).length !== (text.match(/COMMIT TRANSACTION;/g) ?? []).length ||
    (/BEGIN TRANSACTION/.test(text) && !text.startsWith('SET XACT_ABORT ON;')),
  'does not close its parentheses': (text) => text.split('(').length !== text.split(')').length,
  'holds a placeholder that was not filled in': (text) => /\$\{|undefined|\[object/.test(text),
};

/** What stands within parentheses is a subquery, a hint or a list of columns. */
function withoutParentheses(text: string): string {
  const outer = text.replace(/\([^()]*\)/g, '');
  return outer === text ? text : withoutParentheses(outer);
}

const faultsOf = (text: string): readonly string[] => Object.keys(FAULTS).filter((fault) => FAULTS[fault]!(text));

/** Literals that are no JSON path; data never stands in a statement. */
const literals = (text: string): readonly string[] =>
  [...text.matchAll(/N?'([^']*)'/g)].map((match) => match[1]!).filter((word) => !word.startsWith('$.'));

/** Variables that a batch uses, without those it declares itself and without the names of a procedure's parameters. */
const free = (text: string): readonly string[] => {
  const declared = new Set([...text.matchAll(/DECLARE @(\w+)/g)].map((match) => match[1]!));
  const procedure = new Set([...text.matchAll(/@(\w+) = (?:N'|@)/g)].map((match) => match[1]!));
  const used = [...text.matchAll(/@(\w+)/g)].map((match) => match[1]!);
  return [...new Set(used)]
    .filter((name) => !declared.has(name) && !(text.includes('EXEC') && procedure.has(name)))
    .sort();
};

it.each([
  ['uses MERGE', 'merge into dbo.datapump'],
  ['uses WAITFOR', "WAITFOR DELAY '0:0:1'"],
  ['updates through a common table expression', 'WITH eligible AS (SELECT 1) UPDATE eligible'],
  ['reads deleted in OUTPUT', 'OUTPUT deleted.Status INTO @t (Status)'],
  ['outputs without INTO', 'UPDATE d SET Status = 1 OUTPUT inserted.DpId WHERE 1 = 1'],
  ['outputs more or fewer columns than it stores', 'OUTPUT inserted.DpId, inserted.Seq INTO @t (DpId)'],
  ['counts rows', 'SELECT @@ROWCOUNT'],
  ['sets NOCOUNT', 'SET NOCOUNT ON;'],
  ['creates or alters', 'CREATE OR ALTER VIEW dbo.x'],
  ['prepares', 'EXEC sp_prepexec'],
  ['guards by names of indexes', 'SELECT 1 FROM sys.indexes'],
  ['reads uncommitted rows', 'FROM dbo.x WITH (NOLOCK)'],
  ['updates with TOP', 'UPDATE TOP (@n) dbo.DpClaim SET x = 1 WHERE y = 2;'],
  ['updates FROM', 'UPDATE d SET x = (SELECT 1 FROM @w) FROM dbo.DatapumpRow AS d WHERE y = 2;'],
  [
    'finds its rows through a table variable without pinning the seek',
    'UPDATE dbo.DpClaim SET x = 1 WHERE DpId IN (SELECT w.DpId FROM @wanted AS w);',
  ],
  ['sorts what it joined', 'FROM @picked AS k ORDER BY k.Place, x.Attempt;'],
  ['uses brackets in LIKE', "WHERE d.DpId NOT LIKE N'%[^0-9]%'"],
  ['compares names of the catalogue with its own case', "WHERE t.TABLE_NAME IN (N'Outbox')"],
  ['throws with its transaction open', "BEGIN; THROW 51001, N'another', 1;"],
  ['skips locked rows without READCOMMITTEDLOCK', 'FROM dbo.x WITH (ROWLOCK, READPAST)'],
  ['updates everything', "UPDATE dbo.DatapumpRow SET Status = N'New';"],
  ['casts to a type with a collation', 'SELECT CAST(DpId AS nvarchar(64) COLLATE Latin1_General_BIN2)'],
  ['gives OPENJSON an alias', "FROM OPENJSON(@rows) WITH (DpId nvarchar(64) '$.dpId') AS j"],
  ['lets OPENJSON convert a time', "FROM OPENJSON(@rows) WITH (DueAt datetime2(3) '$.dueAt')"],
  ['begins a transaction without ending it, or without XACT_ABORT', 'BEGIN TRANSACTION; COMMIT TRANSACTION;'],
  ['does not close its parentheses', 'SELECT (1'],
  ['holds a placeholder that was not filled in', 'DECLARE @x undefined'],
])('the check sees a statement that %s', (fault, text) => {
  expect(faultsOf(text)).toContain(fault);
});

it('has a check shown above for each fault', () => {
  expect(STATEMENTS.length).toBeGreaterThan(35);
  expect(MIGRATION_BATCHES.length).toBeGreaterThan(20);
});

it.each([...STATEMENTS, ...MIGRATION_BATCHES])('%s is T-SQL that every faithful engine takes', (_name, { text }) => {
  expect(faultsOf(text)).toEqual([]);
});

it.each(STATEMENTS)('%s takes its data as parameters, each of which it uses', (name, { text, parameters }) => {
  expect(free(text)).toEqual(Object.keys(parameters).sort());
  if (!name.startsWith('schema'))
    expect(literals(text).filter((word) => !WORDS.includes(word) && !/^another outcome/.test(word))).toEqual([]);
});

it('only the tag for T-SQL makes T-SQL, and only statements reach the driver', () => {
  const files = sourceFiles('src/adapters/sql-server');
  const holding = (pattern: RegExp) =>
    files.filter(({ text }) => pattern.test(text)).map(({ path }) => path.split('/').at(-1));
  expect(holding(/\bas SqlText\b/)).toEqual(['sql-text.ts']);
  expect(holding(/\.(query|batch|execute|bulk)(<[^>]*>)?\(/)).toEqual(['migrate.ts', 'sql-server-connection.ts']);
  expect(holding(/PreparedStatement\b(?!Error)/)).toEqual([]);
  expect(holding(/rowsAffected/)).toEqual([]);
});

it('claims by an UPDATE that tests the status itself, under the hints that also hold under row versioning', () => {
  for (const key of ROW_KEYS) {
    const update = claimingStatements(key)
      .claim.text.split(';')
      .find((each) => /^\s*UPDATE/.test(each))!;
    expect(update).toContain('UPDATE dbo.DatapumpRow WITH (ROWLOCK, READPAST, UPDLOCK, READCOMMITTEDLOCK)');
    expect(update).toMatch(
      /WHERE Status = N'New' AND DueAt <= @now AND DpId IN \(SELECT k\.DpId FROM @candidate AS k\)\nOPTION \(LOOP JOIN\)$/,
    );
    expect(claimingStatements(key).claim.text).toMatch(
      /INSERT INTO @candidate \(DpId, BillerId\)\nSELECT TOP \(@rowsMax\)/,
    );
  }
});

it('a migration hears that another one holds the lock before its own request times out', () => {
  expect(LOCK_TIMEOUT_MS).toBeLessThanOrEqual(DEFAULT_LIMITS.requestTimeoutMs - 5_000);
});

it('numbers its migrations without gaps, and guards each batch', () => {
  expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  expect(MIGRATIONS.at(-1)!.version).toBe(SCHEMA_VERSION);
  for (const [, { text }] of MIGRATION_BATCHES)
    expect(text).toMatch(/^IF (OBJECT_ID|COL_LENGTH)\(N'dbo\.\w+', N'\w+'\) IS NULL\nBEGIN\n[^]*END;$/);
});
