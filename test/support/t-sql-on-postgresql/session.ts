import { type PoolClient } from 'pg';
import { statementsOf, translated, types } from './translate';

export interface Scalar {
  readonly type: string;
  readonly value: unknown;
}

export type Rows = readonly Readonly<Record<string, unknown>>[];

/** One connection: runs batches, with variables that live as long as a batch and transactions that count. */
export class Session {
  private depth = 0;
  private tables = 0;

  constructor(private readonly client: PoolClient) {}

  async begin(): Promise<void> {
    if (this.depth++ === 0) await this.client.query('BEGIN');
  }

  async commit(): Promise<void> {
    if (--this.depth === 0) await this.client.query('COMMIT');
  }

  async rollback(): Promise<void> {
    if (this.depth > 0) await this.client.query('ROLLBACK');
    this.depth = 0;
  }

  /** An error undoes the transaction, as XACT_ABORT ON has it. Answers what each SELECT found. */
  async run(batch: string, parameters: ReadonlyMap<string, Scalar>): Promise<readonly Rows[]> {
    const scope: Scope = { scalars: new Map(parameters), tables: new Map(), named: namedIn(batch) };
    const found: Rows[] = [];
    try {
      let skipping = false;
      for (const statement of statementsOf(withBlocksApart(batch))) {
        if (statement === 'END') skipping = false;
        else if (!skipping && statement.startsWith('IF ')) skipping = !(await this.holds(statement, scope));
        else if (!skipping) {
          const rows = await this.step(statement, scope);
          if (rows !== undefined) found.push(rows);
        }
      }
    } catch (error) {
      await this.rollback();
      throw error;
    } finally {
      for (const table of scope.tables.values()) await this.client.query(`DROP TABLE IF EXISTS ${table}`);
    }
    return found;
  }

  private async holds(statement: string, scope: Scope): Promise<boolean> {
    const missing = /^IF OBJECT_ID\(N'(dbo\.\w+)', N'[UV]'\) IS NULL$/.exec(statement);
    if (missing !== null) {
      const { rows } = await this.client.query('SELECT to_regclass(lower($1)) IS NULL AS missing', [missing[1]]);
      return (rows as { missing: boolean }[])[0]!.missing;
    }
    const exists = /^IF EXISTS \(([^]*)\)$/.exec(statement);
    if (exists === null) throw new Error(`no translation of ${statement}`);
    return (await this.query(`${translated(exists[1]!)} LIMIT 1`, scope)).length > 0;
  }

  private async step(statement: string, scope: Scope): Promise<Rows | undefined> {
    const table = /^DECLARE @(\w+) TABLE \(([^]*)\)$/.exec(statement);
    const scalar = /^DECLARE @(\w+) ([\w()]+)(?: = ([^]*))?$/.exec(statement);
    const execute = /^EXEC\(N'([^]*)'\)$/.exec(statement);
    const thrown = /^THROW (\d+), N'([^']*)', 1$/.exec(statement);
    if (statement === 'SET XACT_ABORT ON') return undefined;
    if (statement === 'BEGIN TRANSACTION') await this.begin();
    else if (statement === 'COMMIT TRANSACTION') await this.commit();
    else if (statement === 'ROLLBACK TRANSACTION') await this.rollback();
    else if (thrown !== null) throw Object.assign(new Error(thrown[2]), { number: Number(thrown[1]) });
    else if (table !== null) await this.declareTable(table[1]!, table[2]!, scope);
    else if (scalar !== null) await this.declareScalar(scalar[1]!, types(scalar[2]!), scalar[3], scope);
    else if (execute !== null) await this.client.query(translated(execute[1]!.replace(/''/g, "'")));
    else if (statement.startsWith('EXEC @result = sp_getapplock')) {
      await this.client.query(`SELECT pg_advisory_xact_lock(1)`);
      scope.scalars.set('result', { type: 'int', value: 0 });
    } else {
      const rows = await this.query(translated(statement), scope);
      return statement.startsWith('SELECT') ? rows : undefined;
    }
    return undefined;
  }

  private async declareTable(name: string, columns: string, scope: Scope): Promise<void> {
    const table = `variable_${++this.tables}`;
    scope.tables.set(name, table);
    await this.client.query(`CREATE TEMP TABLE ${table} (${types(columns)})`);
  }

  private async declareScalar(name: string, type: string, value: string | undefined, scope: Scope): Promise<void> {
    const [row] = value === undefined ? [] : await this.query(`SELECT (${translated(value)})::${type} AS value`, scope);
    scope.scalars.set(name, { type, value: bound(row?.['value']) });
  }

  private async query(text: string, scope: Scope): Promise<Rows> {
    const values: unknown[] = [];
    const withPlaces = text.replace(/@(\w+)/g, (variable, name: string) => {
      const table = scope.tables.get(name);
      if (table !== undefined) return table;
      const scalar = scope.scalars.get(name);
      if (scalar === undefined) throw new Error(`${variable} is not declared before ${text}`);
      return `$${values.push(scalar.value)}::${scalar.type}`;
    });
    const { rows } = await this.client.query<Record<string, unknown>>(withPlaces, values);
    return rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [scope.named.get(name) ?? name, value])),
    );
  }
}

interface Scope {
  readonly scalars: Map<string, Scalar>;
  readonly tables: Map<string, string>;
  /** How the batch spells a name that PostgreSQL folds to lower case. */
  readonly named: ReadonlyMap<string, string>;
}

const namedIn = (batch: string): ReadonlyMap<string, string> =>
  new Map([...batch.matchAll(/\b[A-Z][A-Za-z]+\b/g)].map(([name]) => [name.toLowerCase(), name]));

/** `IF … BEGIN … END` as statements of their own. */
const withBlocksApart = (batch: string): string =>
  batch.replace(/\bBEGIN\b;?(?! TRANSACTION)/g, ';').replace(/\bEND;/g, ';END;');

/** A time goes back to the database as the UTC text that it came from. */
export const bound = (value: unknown): unknown =>
  value instanceof Date ? value.toISOString().slice(0, -1) : (value ?? null);
