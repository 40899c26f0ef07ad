import { type Shard } from '../../../src/application/ports/shard';
import { shardName } from '../../../src/domain/identifiers';
import { shardContract } from '../../contract/shard.contract';
import { byPromise } from './at-once';
import { MemoryShard } from './memory-shard';

shardContract('memory, of the simulator', async () => {
  const core = new MemoryShard(shardName('Shard-1'), () => Date.now());
  return {
    shard: byPromise<Shard>(core),
    another: async () => byPromise<Shard>(core),
    seed: async (seed) => core.seed(seed),
    close: async () => undefined,
  };
});
