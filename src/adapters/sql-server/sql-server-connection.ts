import { ConnectionPool, DateTime2, Int, ISOLATION_LEVEL, MAX, NVarChar, Request, Transaction } from 'mssql';
import { PortFailure } from '../../application/ports/failures';
import { type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { DEFAULT_LIMITS, poolSettings, type ConnectionSource, type SqlServerLimits } from './connection-settings';
import { isCollision, isLoginRefused, sqlServerFailure, type SqlServerPlace, waitedInVain } from './sql-server-failure';
import {
  CHUNK_ID_LENGTH_MAX,
  ID_LENGTH_MAX,
  type ParameterKind,
  type SqlText,
  type Statement,
  TEXT_LENGTH_MAX,
} from './sql-text';

/** A transaction that a deadlock undid is run again so many times; then the caller hears of it. */
const COLLISIONS_MAX = 6;
const COLLISION_PAUSE_MS_MAX = 40;
/** A call that waited for a connection of a pool that was given up waits in so many further pools; then the caller hears of it. */
const POOLS_MAX = 3;
/** After a failed attempt to connect, callers hear of that failure at once for so long: no storm of logins. */
const CONNECT_PAUSE_MS = 1_000;

export type Row = Readonly<Record<string, unknown>>;
export type Value = string | number | Instant | undefined | readonly object[];

/** Runs statements: alone, or within one transaction. `step` says what fails, for the message. */
export interface Runner {
  run<Name extends string>(
    step: string,
    statement: Statement<Name>,
    values: Readonly<Record<Name, Value>>,
  ): Promise<readonly (readonly Row[])[]>;
}

/**
 * One pool of connections to one database.
 *
 * unopened → (first use) opening → open → (login refused) unopened: the next use reads the settings anew, and calls that
 * waited for a connection of the old pool go on in the new one.
 * opening → (failed) paused for CONNECT_PAUSE_MS → unopened. close() ends it for good.
 */
export class SqlServerConnection implements Runner {
  private opening: Promise<ConnectionPool> | undefined;
  private refusedUntil = 0;
  private refusal = new Error('no attempt to connect has failed');
  private closed = false;
  private place: SqlServerPlace;
  private readonly limits: SqlServerLimits;

  constructor(
    private readonly options: {
      readonly name: ShardName;
      readonly connection: ConnectionSource;
      readonly limits?: Partial<SqlServerLimits>;
    },
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.place = { shard: options.name, server: 'not read yet', database: 'not read yet' };
  }

  async close(): Promise<void> {
    this.closed = true;
    const pool = await this.opening?.catch(() => undefined);
    await pool?.close();
  }

  /** Repeats the statement where a deadlock undid it: each is one transaction, or a read. */
  async run<Name extends string>(
    step: string,
    statement: Statement<Name>,
    values: Readonly<Record<Name, Value>>,
  ): Promise<readonly (readonly Row[])[]> {
    return this.repeating(step, async (pool) => execute(pool.request(), statement, values));
  }

  /** Everything the work runs is one transaction; where it throws, nothing of it stays. A deadlock starts it again. */
  async transaction<T>(step: string, work: (runner: TransactionRunner) => Promise<T>): Promise<T> {
    return this.repeating(step, async (pool) => {
      const transaction = new Transaction(pool);
      // Told of by the failing request as well; without a listener it would end the process.
      transaction.on('error', () => undefined);
      await transaction.begin(ISOLATION_LEVEL.READ_COMMITTED);
      try {
        const result = await work({
          run: (_step, statement, values) => execute(new Request(transaction), statement, values),
          batch: async (text) => void (await new Request(transaction).batch(text)),
        });
        await transaction.commit();
        return result;
      } catch (error) {
        // A server that has rolled back already refuses this; the first error is the one that tells.
        await transaction.rollback().catch(() => undefined);
        throw error;
      }
    });
  }

  private async repeating<T>(step: string, work: (pool: ConnectionPool) => Promise<T>): Promise<T> {
    for (let collisions = 0, pools = 1; ;) {
      const opening = this.pool();
      try {
        return await work(await opening);
      } catch (error) {
        if (isCollision(error) && collisions++ < COLLISIONS_MAX) {
          await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * COLLISION_PAUSE_MS_MAX));
          continue;
        }
        // It never had a connection, so nothing of it has reached the server.
        if (waitedInVain(error) && pools++ < POOLS_MAX) continue;
        if (isLoginRefused(error)) this.forget(opening);
        throw sqlServerFailure(step, this.place, error);
      }
    }
  }

  private pool(): Promise<ConnectionPool> {
    if (this.closed) {
      const facts = { shard: this.place.shard };
      return Promise.reject(
        new PortFailure(`shard ${this.place.shard} was closed`, { code: 'closed', retryable: false, facts }),
      );
    }
    if (performance.now() < this.refusedUntil) return Promise.reject(this.refusal);
    return (this.opening ??= this.open().catch((error: unknown) => {
      this.opening = undefined;
      this.refusedUntil = performance.now() + CONNECT_PAUSE_MS;
      this.refusal = sqlServerFailure('connect', this.place, error) as Error;
      throw this.refusal;
    }));
  }

  private async open(): Promise<ConnectionPool> {
    const { connection, name } = this.options;
    const settings = poolSettings(typeof connection === 'function' ? await connection() : connection, this.limits);
    this.place = { shard: name, server: settings.server, database: settings.database ?? 'of the login' };
    const pool = new ConnectionPool(settings);
    // A connection that breaks while idle is replaced at its next use; without a listener it would end the process.
    pool.on('error', () => undefined);
    return pool.connect();
  }

  /** Calls that fail late must not close the pool that was opened since. */
  private forget(forgotten: Promise<ConnectionPool>): void {
    if (this.opening !== forgotten) return;
    this.opening = undefined;
    void forgotten.then((pool) => pool.close()).catch(() => undefined);
  }
}

export interface TransactionRunner extends Runner {
  /** As it stands, without parameters and not through sp_executesql: for the definition of tables and views. */
  batch(text: SqlText): Promise<void>;
}

async function execute<Name extends string>(
  request: Request,
  { text, parameters }: Statement<Name>,
  values: Readonly<Record<Name, Value>>,
): Promise<readonly (readonly Row[])[]> {
  for (const [name, kind] of Object.entries<ParameterKind>(parameters)) {
    bind(request, name, kind, values[name as Name]);
  }
  const { recordsets } = await request.query<Row[]>(text);
  return recordsets;
}

function bind(request: Request, name: string, kind: ParameterKind, value: Value): void {
  switch (kind) {
    case 'json':
      request.input(name, NVarChar(MAX), JSON.stringify(value));
      return;
    case 'count':
      request.input(name, Int, value);
      return;
    case 'instant':
      request.input(name, DateTime2(3), new Date(value as Instant));
      return;
    case 'id':
      request.input(name, NVarChar(ID_LENGTH_MAX), value ?? null);
      return;
    case 'chunk-id':
      request.input(name, NVarChar(CHUNK_ID_LENGTH_MAX), value);
      return;
    case 'word':
      request.input(name, NVarChar(16), value ?? null);
      return;
    case 'text':
      request.input(name, NVarChar(TEXT_LENGTH_MAX), value ?? null);
      return;
  }
}
