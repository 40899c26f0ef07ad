import { ServiceBusTopology } from '../../adapters/service-bus/service-bus-topology';
import { describeStep, planTopology, topologyProblems } from '../../adapters/service-bus/topology-plan';
import { applyMigrations, planMigrations, scriptByHand } from '../../adapters/sql-server/migrate';
import { rowKeyOfType } from '../../adapters/sql-server/row-key';
import { SqlServerConnection } from '../../adapters/sql-server/sql-server-connection';
import { type SecretSource } from '../../application/ports/secret-source';
import { declareTopology, type TopologySettings } from '../../application/messaging/topology';
import { type ShardName } from '../../domain/identifiers';
import { type Settings } from '../configuration/declarations';
import { serviceBusAddress } from './service-bus-module';
import { shardConnections } from './sql-server-module';

/** What setting up the servers takes: loaded by the two commands that do it, since services need no such rights. */

export interface PlannedTopology {
  readonly steps: readonly { readonly kind: string; readonly text: string }[];
  /** What no namespace could hold. */
  readonly problems: readonly string[];
  apply(onDone: (step: string) => void): Promise<void>;
}

export async function plannedTopology(settings: Settings, wanted: TopologySettings): Promise<PlannedTopology> {
  const declared = declareTopology(wanted);
  const administrationUrl = settings['ServiceBus:AdministrationUrl'];
  const topology = new ServiceBusTopology({
    ...serviceBusAddress(settings),
    ...(administrationUrl === '' ? {} : { administrationUrl }),
  });
  const problems = topologyProblems(declared);
  const steps =
    problems.length > 0
      ? []
      : planTopology(declared, await topology.read(declared), { partitioned: settings['ServiceBus:Partitioned'] });
  return {
    steps: steps.map((step) => ({ kind: step.kind, text: describeStep(step) })),
    problems,
    apply: (onDone) => topology.apply(steps, (step) => onDone(describeStep(step))),
  };
}

export interface PlannedMigration {
  readonly shard: ShardName;
  readonly version: number;
  readonly target: number;
  readonly pending: readonly { readonly version: number; readonly name: string; readonly script: string }[];
  readonly problems: readonly string[];
  readonly script: string;
}

/** The type of a shard's ids, by the names that a site's tables give it. */
export const ID_TYPES = ['text', 'bigint', 'uniqueidentifier'] as const;

/** The whole schema of a new shard, without looking at any. */
export const scriptWithoutLogin = (idType: (typeof ID_TYPES)[number]): string =>
  scriptByHand(0, rowKeyOfType(idType === 'text' ? 'nvarchar' : idType));

/** All shards are looked at, whatever is wrong with one of them. */
export function plannedMigrations(settings: Settings, secrets: SecretSource): Promise<readonly PlannedMigration[]> {
  return Promise.all(
    shardConnections(settings, secrets).map(async (options) => {
      const connection = new SqlServerConnection(options);
      try {
        return { shard: options.name, ...(await planMigrations(connection)) };
      } catch (error) {
        return {
          shard: options.name,
          version: 0,
          target: 0,
          pending: [],
          problems: [(error as Error).message],
          script: '',
        };
      } finally {
        await connection.close();
      }
    }),
  );
}

/** One shard after the other; stops at the first failure, and a second run does what is left. */
export async function migrate(
  settings: Settings,
  secrets: SecretSource,
  onDone: (shard: ShardName, versions: readonly number[]) => void,
): Promise<void> {
  for (const options of shardConnections(settings, secrets)) {
    const connection = new SqlServerConnection(options);
    try {
      onDone(options.name, await applyMigrations(connection));
    } finally {
      await connection.close();
    }
  }
}
