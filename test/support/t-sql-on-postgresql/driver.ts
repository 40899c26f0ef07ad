import { Pool, type PoolClient, types as pgTypes } from 'pg';
import { databaseUrl } from '../postgresql-under-test';
import { bound, type Rows, type Scalar, Session } from './session';

/**
 * The part of `mssql` that the adapter uses, over PostgreSQL: jest puts it in the driver's place. It shows that the
 * adapter's statements do what the port's laws say, on a real engine with real concurrency. It shows nothing of the
 * wire, of hints, or of what SQL Server makes of the text; for that there is DATAPUMP_TEST_MSSQL.
 */
pgTypes.setTypeParser(pgTypes.builtins.TIMESTAMP, (text) => new Date(`${text.replace(' ', 'T')}Z`));

const CONNECTIONS_MAX = 10;
/** What SQL Server calls an error that PostgreSQL tells by this code. */
const NUMBERS: Readonly<Record<string, number>> = {
  '23505': 2627,
  '40P01': 1205,
  '42P01': 208,
  '42703': 207,
  '23502': 515,
};

export const MAX = Infinity;
export const ISOLATION_LEVEL = { READ_COMMITTED: 2 };
export const NVarChar = (_length: number): string => 'text';
export const Int = 'int';
export const DateTime2 = (_scale: number): string => 'timestamp(3)';

export class ConnectionPool {
  readonly pool: Pool;

  /** `server` is the URL of a PostgreSQL server. */
  constructor({ server, database }: { readonly server: string; readonly database: string }) {
    this.pool = new Pool({ connectionString: databaseUrl(server, database), max: CONNECTIONS_MAX });
    this.pool.on('error', () => undefined);
  }

  connect(): Promise<this> {
    return Promise.resolve(this);
  }

  on(): void {
    // Errors of idle connections: nobody waits for them.
  }

  request(): Request {
    return new Request(this);
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}

export class Transaction {
  private client: PoolClient | undefined;
  session: Session | undefined;

  constructor(private readonly of: ConnectionPool) {}

  on(): void {
    // Told by the failing request as well.
  }

  async begin(): Promise<void> {
    this.client = await this.of.pool.connect();
    this.session = new Session(this.client);
    await this.session.begin();
  }

  async commit(): Promise<void> {
    await this.session!.commit();
    this.client!.release();
  }

  async rollback(): Promise<void> {
    await this.session!.rollback();
    this.client!.release();
  }
}

export class Request {
  private readonly parameters = new Map<string, Scalar>();

  constructor(private readonly of: ConnectionPool | Transaction) {}

  input(name: string, type: string, value: unknown): void {
    this.parameters.set(name, { type, value: bound(value) });
  }

  async query(batch: string): Promise<{ readonly recordsets: readonly Rows[] }> {
    try {
      if (this.of instanceof Transaction) return { recordsets: await this.of.session!.run(batch, this.parameters) };
      const client = await this.of.pool.connect();
      try {
        return { recordsets: await new Session(client).run(batch, this.parameters) };
      } finally {
        client.release();
      }
    } catch (error) {
      throw requestError(error);
    }
  }

  async batch(text: string): Promise<{ readonly recordset: Rows | undefined }> {
    return { recordset: (await this.query(text)).recordsets[0] };
  }
}

function requestError(error: unknown): unknown {
  const { code, number, message } = error as { code?: string; number?: number; message: string };
  const known = number ?? (code === undefined ? undefined : NUMBERS[code]);
  return Object.assign(new Error(message, { cause: error }), { name: 'RequestError', code: 'EREQUEST', number: known });
}
