import { type DpRecord } from '../../domain/dp-record/dp-record.state';
import { type BillerId, type ShardName } from '../../domain/identifiers';
import { type Shard, type Shards } from '../ports/shard';

/**
 * The one way from a message to the shard that holds its rows: the shard it names; where there is none of that name
 * (another team calls ours otherwise), the one that holds its biller. Undefined: nobody here holds that biller.
 */
export async function findShard(
  shards: Shards,
  message: { readonly billerId: BillerId; readonly shard: ShardName | undefined },
): Promise<Shard | undefined> {
  return heldAs(shards, message.shard) ?? (await shards.ofBiller(message.billerId));
}

/**
 * A record that is known stays where it was discovered, whatever a message says: read in another shard, its row would
 * seem to have vanished, or another biller's row of the same number would be written.
 */
export const shardOfRecord = (shards: Shards, record: DpRecord, found: Shard): Shard =>
  (record.status === 'unknown' ? undefined : heldAs(shards, record.shard)) ?? found;

const heldAs = (shards: Shards, name: ShardName | undefined): Shard | undefined =>
  shards.all().find((shard) => shard.name === name);
