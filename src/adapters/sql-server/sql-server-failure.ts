import { PortFailure, type PortFailureCode } from '../../application/ports/failures';

export interface SqlServerPlace {
  readonly shard: string;
  readonly server: string;
  readonly database: string;
}

interface Kind {
  readonly code: PortFailureCode;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  readonly remedy: string;
}

const BUSY: Kind = {
  code: 'storage-busy',
  retryable: true,
  remedy: 'another transaction holds the rows; it goes on by itself, look for long transactions if it lasts',
};
/** Microsoft asks to wait about ten seconds before connecting again after a failover or a throttling. */
const PAUSE_MS = 10_000;
const FAILING_OVER: Kind = {
  code: 'unavailable',
  retryable: true,
  retryAfterMs: PAUSE_MS,
  remedy: 'the database is failing over, throttled or starting; it comes back by itself',
};
const LOGIN: Kind = {
  code: 'not-authorized',
  retryable: false,
  remedy:
    'the server refuses the login; correct User ID and Password in the secret that the shard registry names, or the managed identity; it is read again by itself',
};
/** A server that stops or starts refuses logins under many numbers; only those of LOGIN blame the login itself. */
const LOGIN_OUTAGE: Kind = {
  code: 'unavailable',
  retryable: true,
  retryAfterMs: PAUSE_MS,
  remedy:
    'the server takes no login now, as one that stops, starts or fails over does; it comes back by itself. If it lasts, check the login in the secret that the shard registry names',
};
const FIREWALL: Kind = {
  code: 'not-authorized',
  retryable: false,
  remedy: "the server's firewall refuses this address; add a rule for it on the server",
};
const BROKEN_OFF: Kind = {
  code: 'connection-lost',
  retryable: true,
  remedy: 'the connection broke off; it is opened again by itself',
};
/** The same numbers come while a database is being recovered or taken offline, so they may pass by themselves. */
const NO_DATABASE: Kind = {
  code: 'unavailable',
  retryable: true,
  retryAfterMs: PAUSE_MS,
  remedy:
    'the database cannot be opened: it is starting, stopping or being restored, and then comes back by itself. If it lasts, correct Database in the connection settings, or give the login a user in it',
};
const RIGHTS: Kind = {
  code: 'not-authorized',
  retryable: false,
  remedy: 'the user lacks a right; grant what docs/SQL-SERVER.md lists under Permissions',
};
const SCHEMA: Kind = {
  code: 'storage-foreign',
  retryable: false,
  remedy:
    'a table, view or column is not as expected; run `datapump migrate --plan`, and where the tables are mapped compare the views with docs/SQL-SERVER.md',
};
const FULL: Kind = {
  code: 'storage-full',
  retryable: true,
  retryAfterMs: PAUSE_MS,
  remedy: 'no room left for data or log; free some or let the files grow, work goes on by itself',
};
const READ_ONLY: Kind = {
  code: 'unavailable',
  retryable: true,
  retryAfterMs: PAUSE_MS,
  remedy: 'the database is read-only here; name the primary replica in Server, or wait for the failover to end',
};
const DUPLICATE: Kind = {
  code: 'storage-broken',
  retryable: false,
  remedy: 'a row with this key stands already',
};
const VALUE: Kind = {
  code: 'storage-broken',
  retryable: false,
  remedy: 'a value does not fit its column; compare the types of the mapped views with docs/SQL-SERVER.md',
};

const numbers = (kind: Kind, ...of: readonly number[]): readonly (readonly [number, Kind])[] =>
  of.map((number) => [number, kind] as const);

/** Numbers from the vendor's lists of engine errors and of transient errors of Azure SQL Database. */
const KIND_OF_NUMBER: ReadonlyMap<number, Kind> = new Map([
  ...numbers(BUSY, 845, 1204, 1205, 1221, 1222, 3960),
  // The database: in recovery, in transition, offline, restoring, suspect for now, no replica for connections.
  ...numbers(
    FAILING_OVER,
    615,
    904,
    921,
    922,
    924,
    926,
    927,
    941,
    942,
    945,
    946,
    952,
    954,
    976,
    978,
    979,
    982,
    983,
    988,
  ),
  // The server: starting, stopping, paused, for one administrator only, its log or session gone.
  ...numbers(FAILING_OVER, 596, 3989, 5180, 6001, 6002, 6005, 6006, 9001, 17142, 17147, 17148, 17187, 17188, 17189),
  ...numbers(FAILING_OVER, 17197, 17198, 17830, 18401, 18451, 18461, 4221, 35250, 41131, 41142),
  // Memory, workers and the governor.
  ...numbers(FAILING_OVER, 701, 802, 8628, 8645, 8651, 8657, 8902, 10922, 10928, 10929, 10930, 10936),
  // Azure SQL Database.
  ...numbers(FAILING_OVER, 40020, 40143, 40166, 40197, 40501, 40540, 40550, 40551, 40552, 40553, 40613, 42108, 42109),
  ...numbers(FAILING_OVER, 45168, 45169, 49918, 49919, 49920),
  ...numbers(LOGIN, 18452, 18456, 18470, 18486, 18487, 18488, 33134, 40531, 40532),
  ...numbers(FIREWALL, 40615, 47073),
  ...numbers(NO_DATABASE, 911, 4060, 4064),
  ...numbers(RIGHTS, 229, 230, 262, 297, 300, 371, 378, 916, 1088, 15247),
  ...numbers(SCHEMA, 207, 208, 213, 334, 447, 451, 457, 468, 515, 2812, 4403, 4405, 4406, 4421, 4422, 4502, 8110),
  ...numbers(FULL, 1101, 1105, 9002, 40544, 40549),
  ...numbers(READ_ONLY, 3906, 3908),
  ...numbers(DUPLICATE, 2601, 2627),
  ...numbers(VALUE, 220, 241, 242, 245, 295, 8114, 8115, 8152, 2628, 8169),
]);

/** Thrown by our own statements: what was read before a lock is no longer so; the transaction is undone, run it again. */
const STALE_READ = 51001;

const DEADLOCK = 1205;
const SNAPSHOT_CONFLICT = 3960;

interface DriverError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly number: number | undefined;
}

/** The error, what came before it in the same request, and what it was made of; by shape, never by class. */
function errorsOf(error: unknown, depth = 0): readonly DriverError[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const it = error as Record<string, unknown>;
  const info = typeof it['info'] === 'object' && it['info'] !== null ? (it['info'] as Record<string, unknown>) : {};
  const number = typeof it['number'] === 'number' ? it['number'] : info['number'];
  const own: DriverError = {
    name: typeof it['name'] === 'string' ? it['name'] : '',
    message: typeof it['message'] === 'string' ? it['message'] : '',
    code: typeof it['code'] === 'string' ? it['code'] : undefined,
    number: typeof number === 'number' ? number : undefined,
  };
  const within = [it['precedingErrors'], it['errors']].filter(Array.isArray).flat() as unknown[];
  return [own, ...[...within, it['originalError'], it['cause']].flatMap((inner) => errorsOf(inner, depth + 1))];
}

const numbersOf = (error: unknown): ReadonlySet<number | undefined> =>
  new Set(errorsOf(error).map(({ number }) => number));

/** Whether the whole transaction was undone by a collision with others, so that running it again helps. */
export function isCollision(error: unknown): boolean {
  const seen = numbersOf(error);
  return seen.has(DEADLOCK) || seen.has(SNAPSHOT_CONFLICT) || seen.has(STALE_READ);
}

/** SQL Server says 2627 for a constraint and 2601 for an index; compatible engines say 2627 for both. */
export function isDuplicateKey(error: unknown): boolean {
  const seen = numbersOf(error);
  return seen.has(2627) || seen.has(2601);
}

/** The settings that made the pool may no longer be good. */
export const isLoginRefused = (error: unknown): boolean => errorsOf(error).some(({ code }) => code === 'ELOGIN');

/** The driver's pool was closed before this call got one of its connections (`aborted`: tarn, Pool.destroy). */
export const waitedInVain = (error: unknown): boolean =>
  error instanceof Error &&
  ((error.name === 'Error' && error.message === 'aborted') ||
    (error.name === 'ConnectionError' && (error as { code?: unknown }).code === 'ENOTOPEN'));

function wireKind(errors: readonly DriverError[]): Kind | undefined {
  const connecting = errors.some(({ name }) => name === 'ConnectionError');
  const text = errors.map(({ message }) => message).join('\n');
  const has = (...codes: readonly string[]): boolean => errors.some(({ code }) => code && codes.includes(code));
  if (/certificate|TLS|SSL routines/i.test(text) && (connecting || has('ESOCKET'))) {
    return {
      code: 'unavailable',
      retryable: false,
      remedy:
        "the server's certificate is not trusted; install its authority (NODE_EXTRA_CA_CERTS), or outside production set TrustServerCertificate=true",
    };
  }
  if (errors.some(({ name }) => name === 'TimeoutError')) {
    return {
      code: 'storage-busy',
      retryable: true,
      remedy: 'every connection of the pool was in use for too long; raise the pool size, or look for slow statements',
    };
  }
  if (has('ELOGIN')) return LOGIN_OUTAGE;
  if (has('ETIMEOUT')) {
    return connecting
      ? {
          code: 'unavailable',
          retryable: true,
          remedy: 'the server did not answer in time; check Server, its port and the firewalls between',
        }
      : {
          code: 'timed-out',
          retryable: true,
          remedy: 'the statement took longer than the request timeout; look for blocked or slow statements',
        };
  }
  if (has('EINSTLOOKUP')) {
    return {
      code: 'unavailable',
      retryable: true,
      remedy: 'the named instance was not found; name the port instead (Server=host,port)',
    };
  }
  if (has('ESOCKET', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN') && connecting) {
    return {
      code: 'unavailable',
      retryable: true,
      remedy: 'the server cannot be reached; check Server, its port and the firewalls between',
    };
  }
  if (has('ESOCKET', 'ECONNCLOSED', 'ECONNRESET', 'EPIPE', 'ENOCONN', 'ENOTOPEN', 'EABORT', 'ECANCEL', 'ENOTBEGUN')) {
    return BROKEN_OFF;
  }
  return undefined;
}

/**
 * What the driver threw as a PortFailure that names the step, the place and the remedy. What is no driver's error (a
 * broken belief, the error of a caller's plan, a PortFailure already) comes back as it is.
 */
export function sqlServerFailure(step: string, place: SqlServerPlace, error: unknown): unknown {
  if (error instanceof PortFailure) return error;
  const errors = errorsOf(error);
  if (waitedInVain(error)) return failure(step, place, BROKEN_OFF, undefined, error);
  const known = errors.find(({ number }) => number !== undefined && KIND_OF_NUMBER.has(number));
  const engine = known ?? errors.find(({ number }) => number !== undefined);
  const kind = (known && KIND_OF_NUMBER.get(known.number!)) ?? wireKind(errors) ?? (engine && UNKNOWN);
  if (kind === undefined) return isDriverError(errors) ? failure(step, place, UNKNOWN, undefined, error) : error;
  return failure(step, place, kind, engine?.number, error, kind === UNKNOWN ? engine?.message : undefined);
}

const UNKNOWN: Kind = {
  code: 'storage-broken',
  retryable: false,
  remedy: 'the server refuses the statement; what it says, without the values it names, follows',
};

const SERVER_WORDS_MAX = 200;

/** What a server says may quote what is a customer's, and so may a long number be. */
const withoutValues = (message: string): string =>
  message
    .replace(/'[^']*'|"[^"]*"|\([^()]*\)/g, '…')
    .replace(/\d{3,}/g, '…')
    .slice(0, SERVER_WORDS_MAX);

/** A server's error as it may be logged: its name, code and number stay, the values in its words do not. */
function withoutData(error: unknown): unknown {
  const errors = errorsOf(error);
  const number = errors.find((each) => each.number !== undefined)?.number;
  if (number === undefined) return error;
  const { name, code, message } = errors[0]!;
  return Object.assign(new Error(withoutValues(message)), { name, code, number });
}

const DRIVER_ERRORS = ['ConnectionError', 'RequestError', 'TransactionError', 'PreparedStatementError', 'MSSQLError'];
const isDriverError = (errors: readonly DriverError[]): boolean => DRIVER_ERRORS.includes(errors[0]?.name ?? '');

function failure(
  step: string,
  place: SqlServerPlace,
  kind: Kind,
  number: number | undefined,
  cause: unknown,
  words?: string,
) {
  const where = `shard ${place.shard} (database ${place.database} on ${place.server})`;
  return new PortFailure(
    `failed to ${step} in ${where}: ${kind.remedy}${number === undefined ? '' : ` (SQL Server error ${number})`}${words === undefined ? '' : `: ${withoutValues(words)}`}`,
    {
      code: kind.code,
      retryable: kind.retryable,
      ...(kind.retryAfterMs !== undefined && { retryAfterMs: kind.retryAfterMs }),
      facts: { ...place, ...(number !== undefined && { sqlServer: number }) },
      cause: withoutData(cause),
    },
  );
}
