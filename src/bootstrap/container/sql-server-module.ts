import { ContainerModule, type ServiceIdentifier } from 'inversify';
import {
  connectionSettings,
  type ConnectionSource,
  insecureSettings,
} from '../../adapters/sql-server/connection-settings';
import { SqlServerShards } from '../../adapters/sql-server/sql-server-shards';
import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { shardName } from '../../domain/identifiers';
import { type Settings } from '../configuration/declarations';
import { TOKENS } from './tokens';

const DATABASES: ServiceIdentifier<SqlServerShards> = Symbol.for('datapump:sql-server-shards');

/** Shards in SQL Server: which database each is stands in Shards:Registry. */
export const sqlServerModule = new ContainerModule(({ bind }) => {
  bind(DATABASES)
    .toDynamicValue(({ get }) => {
      const shards = SqlServerShards.of(shardConnections(get(TOKENS.settings), get(TOKENS.secrets)));
      return get(TOKENS.lifecycle).opened('shards', shards, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.shards)
    .toDynamicValue(({ get }) => get(DATABASES))
    .inSingletonScope();
  bind(TOKENS.sealWitnesses).toDynamicValue(
    ({ get }) =>
      () =>
        get<SqlServerShards>(DATABASES)
          .all()
          .map(({ seals }) => seals),
  );
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: 'Shards:Registry',
    problems: async () => {
      const looks = await Promise.allSettled(
        get(TOKENS.shards)
          .all()
          .map((shard) => shard.now()),
      );
      return looks.flatMap((look) => {
        if (look.status === 'fulfilled') return [];
        const failure = look.reason as Error;
        return [{ text: failure.message, passing: failure instanceof PortFailure && failure.retryable }];
      });
    },
  }));
});

/** The settings of each shard's connection; its secret is read when a pool is opened, so again after a refused login. */
export function shardConnections(settings: Settings, secrets: SecretSource) {
  const registry = settings['Shards:Registry'];
  const named = settings['Shards:Names'];
  return Object.entries(registry)
    .filter(([name]) => named.length === 0 || named.includes(name))
    .map(([name, { server, database, secret }]) => {
      const connection = async () => {
        const login = secret === undefined ? 'Authentication=Active Directory Default' : await secrets.secret(secret);
        const described = secret === undefined ? name : `${name} (secret ${secret})`;
        const connection = connectionSettings(login, described, { server, database });
        refuseInsecure(settings, name, insecureSettings(connection));
        return connection;
      };
      return {
        name: shardName(name),
        connection: connection satisfies ConnectionSource,
        limits: {
          poolSize: settings['SqlServer:ConnectionsMax'],
          connectTimeoutMs: settings['SqlServer:ConnectSeconds'] * 1_000,
          requestTimeoutMs: settings['SqlServer:RequestSeconds'] * 1_000,
        },
      };
    });
}

function refuseInsecure(settings: Settings, name: string, problems: readonly string[]): void {
  if (settings['Environment:Name'] !== 'production' || problems.length === 0) return;
  throw new PortFailure(`shard ${name}: ${problems.join('; ')}, which production refuses; take it out of the secret`, {
    code: 'not-authorized',
    retryable: false,
    facts: { shard: name },
  });
}
