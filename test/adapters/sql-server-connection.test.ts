import { EventEmitter } from 'node:events';
import { ConnectionError, ConnectionPool } from 'mssql';
import { SqlServerConnection } from '../../src/adapters/sql-server/sql-server-connection';
import {
  claimingStatements,
  CLAIM_ROWS_MAX,
  SqlServerShardClaiming,
} from '../../src/adapters/sql-server/shard-claiming';
import { TEXT_KEY } from '../../src/adapters/sql-server/row-key';
import { statement, tsql } from '../../src/adapters/sql-server/sql-text';
import { type BillerId, type ChunkId, shardName } from '../../src/domain/identifiers';
import { until } from '../support/until';

/** The driver's own pool of connections, and scripted connections in it: no TDS server is needed to lose a login. */
class ScriptedConnection extends EventEmitter {
  closed = false;
  hasError = false;
  /** What the driver's pool looks at before it hands a connection out. */
  readonly STATE = { LOGGED_IN: 'logged in' };
  readonly state = this.STATE.LOGGED_IN;
  readonly socket: { destroyed: boolean; writable: boolean } = { destroyed: false, writable: true };

  constructor(
    private readonly answer: (
      text: string,
      values: ReadonlyMap<string, unknown>,
    ) => Promise<readonly Record<string, unknown>[]>,
  ) {
    super();
  }

  close(): void {
    this.closed = true;
    setImmediate(() => this.emit('end'));
  }

  reset(done: (error?: Error) => void): void {
    setImmediate(done);
  }

  execSql(
    request: EventEmitter & {
      sqlTextOrProcedure?: string;
      parameters: readonly { name: string; value: unknown }[];
      callback: (error: Error | null, rows: number) => void;
    },
  ): void {
    const values = new Map(request.parameters.map(({ name, value }) => [name, value]));
    void this.answer(request.sqlTextOrProcedure ?? '', values).then((rows) => {
      for (const row of rows) {
        const columns = Object.keys(row).map((colName) => ({ colName, type: { name: 'Int' }, flags: 0 }));
        request.emit('columnMetadata', columns);
        request.emit(
          'row',
          Object.entries(row).map(([colName, value]) => ({ value, metadata: { colName, type: { name: 'Int' } } })),
        );
        request.emit('done', 1, false);
      }
      request.callback(null, rows.length);
    });
  }

  beginTransaction(done: (error?: Error) => void): void {
    setImmediate(done);
  }
  commitTransaction(done: (error?: Error) => void): void {
    setImmediate(done);
  }
  rollbackTransaction(done: (error?: Error) => void): void {
    setImmediate(done);
  }
}

type Creates = () => Promise<ScriptedConnection>;
const pools = ConnectionPool.prototype as unknown as { _poolCreate: Creates };

const settings = { server: '127.0.0.1', database: 'payments', user: 'u', password: 'p' };
const connectionOf = (poolSize: number): SqlServerConnection =>
  new SqlServerConnection({ name: shardName('Shard-1'), connection: settings, limits: { poolSize } });
const LOOK = statement({}, tsql`SELECT 1 AS One;`);

let creates: jest.SpyInstance<ReturnType<Creates>>;
beforeEach(() => (creates = jest.spyOn(pools, '_poolCreate')));
afterEach(() => creates.mockRestore());

const loginRefused = (): ConnectionError =>
  new ConnectionError(Object.assign(new Error('Login failed for user'), { code: 'ELOGIN' }));

it('a refused login costs the call that met it, not those that wait for a connection (issue 9, no 9)', async () => {
  const opened: ScriptedConnection[] = [];
  let refuseNext = false;
  creates.mockImplementation(() => {
    if (refuseNext) {
      refuseNext = false;
      return new Promise((_resolve, reject) => setTimeout(() => reject(loginRefused()), 30));
    }
    opened.push(new ScriptedConnection(() => Promise.resolve([{ One: 1 }])));
    return Promise.resolve(opened.at(-1)!);
  });
  const connection = connectionOf(1);
  await connection.run('open the pool', LOOK, {});
  // The server stops: connections break, the next login is refused, and then it is back.
  for (const each of opened) each.hasError = each.socket.destroyed = true;
  refuseNext = true;
  const answers = await Promise.allSettled(Array.from({ length: 8 }, () => connection.run('look', LOOK, {})));
  const refused = answers.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  for (const { reason } of refused) expect(reason).toMatchObject({ name: 'PortFailure', retryable: true });
  expect(refused).toHaveLength(1);
  await connection.close();
});

it('says of calls that wait when the shard is closed that it was closed', async () => {
  let answer: (() => void) | undefined;
  creates.mockImplementation(() =>
    Promise.resolve(new ScriptedConnection(() => new Promise((resolve) => (answer = () => resolve([{ One: 1 }]))))),
  );
  const connection = connectionOf(1);
  const first = connection.run('look', LOOK, {});
  await until('the first call is under way', () => answer !== undefined);
  const second = connection.run('look', LOOK, {}).catch((error: unknown) => error);
  const closing = connection.close();
  answer!();
  expect(await first).toBeDefined();
  expect(await second).toMatchObject({ name: 'PortFailure', code: 'closed' });
  await closing;
});

describe('a claim', () => {
  const claimed = async (eligible: 0 | 1, rowsMax: number) => {
    const texts: string[] = [];
    const limits: unknown[] = [];
    creates.mockImplementation(() =>
      Promise.resolve(
        new ScriptedConnection((text, values) => {
          texts.push(text);
          if (values.has('rowsMax')) limits.push(values.get('rowsMax'));
          return Promise.resolve(text.includes('AS Eligible') ? [{ Eligible: eligible }] : []);
        }),
      ),
    );
    const connection = connectionOf(1);
    const begins = jest.spyOn(ScriptedConnection.prototype, 'beginTransaction');
    const claiming = new SqlServerShardClaiming(connection, TEXT_KEY, shardName('Shard-1'));
    const result = await claiming
      .claim({ billers: ['101' as BillerId], rowsMax, plan: () => [], newChunkId: () => 'c' as ChunkId })
      .catch((error: unknown) => error);
    const transactions = begins.mock.calls.length;
    begins.mockRestore();
    await connection.close();
    return { result, texts, limits, transactions };
  };

  it('that finds nothing is one round trip (issue 9, no 9)', async () => {
    const { result, texts, transactions } = await claimed(0, 1_000);
    expect(result).toEqual([]);
    expect(texts).toEqual([claimingStatements(TEXT_KEY).look.text]);
    expect(transactions).toBe(0);
  });

  it('asks for no more rows than SQL Server locks one by one', async () => {
    const { limits, transactions } = await claimed(1, 5_000);
    expect(transactions).toBe(1);
    expect(limits).toEqual([CLAIM_ROWS_MAX]);
  });
});
