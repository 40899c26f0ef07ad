import { ConnectionPool, type config as DriverConfig, type Connection } from 'mssql';
import { PortFailure } from '../../application/ports/failures';

/** How long things may take, and how many connections one process may open to one shard. */
export interface SqlServerLimits {
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

export const DEFAULT_LIMITS: SqlServerLimits = { poolSize: 10, connectTimeoutMs: 15_000, requestTimeoutMs: 30_000 };

/** Settings, or where they come from: read when a pool is opened, so again after the server refused a login. */
export type ConnectionSource = DriverConfig | (() => Promise<DriverConfig>);

/** `server` as in a connection string: `host`, or `host,port`. */
export interface DatabaseAddress {
  readonly server: string;
  readonly database: string;
}

function placed({ port: _port, ...settings }: DriverConfig, { server, database }: DatabaseAddress): DriverConfig {
  const place = ConnectionPool.parseConnectionString(`Server=${server}`);
  const { instanceName: _instance, ...options } = settings.options ?? {};
  return {
    ...settings,
    server: place.server,
    ...(place.port !== undefined && { port: place.port }),
    database,
    options: { ...options, ...place.options },
  };
}

const MANAGED_IDENTITY = /(?:^|;)\s*authentication\s*=\s*"?active directory (?:default|managed identity)"?\s*(?:;|$)/i;

/**
 * An ADO.NET connection string (`Server=host,1433;Database=shard;User ID=…;Password=…`) as the driver's settings.
 * Encryption is on unless the text says otherwise. `Authentication=Active Directory Default` is the managed identity.
 * All that is wrong is said at once; no secret appears in the message.
 *
 * `at` decides where, whatever the text says under any of the names that the driver knows (Server, Data Source,
 * Database, Initial Catalog …): a login that several shards share must not lead all of them to one database.
 */
export function connectionSettings(text: string, name: string, at?: DatabaseAddress): DriverConfig {
  const problems: string[] = [];
  let parsed: (DriverConfig & { authentication_type?: string }) | undefined;
  try {
    parsed = ConnectionPool.parseConnectionString(text);
    if (at !== undefined) parsed = placed(parsed, at);
  } catch {
    // The parser's own message may quote the text, and with it the password.
    problems.push('it is no connection string of the form Key=value;Key=value');
  }
  const identity = MANAGED_IDENTITY.test(text);
  if (parsed) {
    if (!parsed.server) problems.push('Server is missing');
    if (!parsed.database) problems.push('Database is missing');
    if (parsed.port !== undefined && !(parsed.port >= 1 && parsed.port <= 65_535))
      problems.push('the port after the comma in Server is not a number from 1 to 65535');
    const passwordLogin = !identity && (parsed.authentication_type ?? 'default') === 'default';
    if (passwordLogin && (!parsed.user || !parsed.password))
      problems.push('User ID and Password are missing (or write Authentication=Active Directory Default)');
  }
  if (parsed === undefined || problems.length > 0) {
    throw new PortFailure(
      `the connection string of ${name} cannot be used: ${problems.join('; ')}; correct the secret that holds it`,
      { code: 'not-authorized', retryable: false, facts: { name, problems: problems.length } },
    );
  }
  return {
    ...parsed,
    options: { ...parsed.options, encrypt: parsed.options?.encrypt ?? true },
    ...(identity && { authentication: { type: 'azure-active-directory-default', options: {} } }),
  };
}

/** Settings that production refuses, each as a sentence; none where all is well. */
export function insecureSettings(settings: DriverConfig): readonly string[] {
  return [
    ...(settings.options?.encrypt === false ? ['Encrypt=false sends passwords and account numbers in the open'] : []),
    ...(settings.options?.trustServerCertificate === true
      ? ['TrustServerCertificate=true accepts any server that answers']
      : []),
  ];
}

/** The driver's settings with our limits and with what our statements rely on. */
export function poolSettings(settings: DriverConfig, limits: SqlServerLimits): DriverConfig {
  return {
    ...settings,
    beforeConnect: keepLoginErrorNumber,
    connectionTimeout: limits.connectTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    // A query before each use would double the round trips; a broken connection shows in its socket.
    validateConnection: 'socket',
    pool: { min: 0, max: limits.poolSize, acquireTimeoutMillis: limits.requestTimeoutMs, idleTimeoutMillis: 30_000 },
    options: {
      encrypt: true,
      ...settings.options,
      appName: 'datapump',
      // Times are stored as UTC without an offset.
      useUTC: true,
      // Filtered indexes refuse writes of sessions without these.
      enableArithAbort: true,
    },
  };
}

/** The driver's error for a refused login has a text and no number; the server's first message has both. */
function keepLoginErrorNumber(connection: Connection): void {
  let number: number | undefined;
  connection.on('errorMessage', (message) => (number ??= message.number));
  connection.once('connect', (error) => {
    if (error && number !== undefined) Object.assign(error, { number });
  });
}
