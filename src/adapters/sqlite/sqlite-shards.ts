import { join } from 'node:path';
import { isDamage } from '../../application/ports/failures';
import { type ShardName } from '../../domain/identifiers';
import { ShardRegistry } from '../shared/shard-registry';
import { SqliteShard } from './sqlite-shard';
import { unopenedShard } from './unopened-shard';

/** The shards of one folder. */
export class SqliteShards extends ShardRegistry<SqliteShard> {
  /** Opens `<folder>/<name>.sqlite` for each name, creating what is not there. One that is damaged fails when it is used. */
  static open({ folder, names }: { readonly folder: string; readonly names: readonly ShardName[] }): SqliteShards {
    return new SqliteShards(names.map((name) => opened(name, join(folder, `${name}.sqlite`))));
  }
}

function opened(name: ShardName, path: string): SqliteShard {
  try {
    return new SqliteShard({ name, path });
  } catch (error) {
    // Any other file is a wrong configuration.
    if (!isDamage(error)) throw error;
    return unopenedShard(name, path, error);
  }
}
