import { ShardRegistry } from '../shared/shard-registry';
import { SqlServerShard } from './sql-server-shard';

/** The shards of one installation. Nothing is opened before it is used. */
export class SqlServerShards extends ShardRegistry<SqlServerShard> {
  static of(shards: readonly ConstructorParameters<typeof SqlServerShard>[0][]): SqlServerShards {
    return new SqlServerShards(shards.map((shard) => new SqlServerShard(shard)));
  }
}
