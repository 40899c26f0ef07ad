import { join } from 'node:path';
import { type ShardName } from '../../domain/identifiers';
import { ShardRegistry } from '../shared/shard-registry';
import { SqliteShard } from './sqlite-shard';

/** The shards of one folder. */
export class SqliteShards extends ShardRegistry<SqliteShard> {
  /** Opens `<folder>/<name>.sqlite` for each name, creating what is not there. */
  static open({ folder, names }: { readonly folder: string; readonly names: readonly ShardName[] }): SqliteShards {
    return new SqliteShards(names.map((name) => new SqliteShard({ name, path: join(folder, `${name}.sqlite`) })));
  }
}
