import { type PortFailure } from '../../application/ports/failures';
import { type SealWitness } from '../../application/ports/seal-witness';
import { type ShardName } from '../../domain/identifiers';
import { type SqliteShard } from './sqlite-shard';

/**
 * Stands for a shard whose file cannot be opened: whatever is asked of it fails with the reason, and the other shards go
 * on. A process that starts asks every shard for its time, so none works with one that is missing.
 */
export function unopenedShard(name: ShardName, path: string, failure: PortFailure): SqliteShard {
  const fail = (): Promise<never> => Promise.reject(failure);
  const seals: SealWitness = {
    name: `shard ${name}`,
    place: path,
    keep: fail,
    newest: fail,
    read: fail,
    setAside: fail,
    asides: fail,
  };
  const own: Readonly<Record<string, unknown>> = { name, seals, close: () => Promise.resolve() };
  return new Proxy(own as unknown as SqliteShard, {
    // Whoever awaits it asks for `then`, and must not find one.
    get: (_, member) =>
      typeof member === 'symbol' || member === 'then' ? undefined : Object.hasOwn(own, member) ? own[member] : fail,
  });
}
