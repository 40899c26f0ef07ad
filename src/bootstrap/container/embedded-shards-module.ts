import { ContainerModule, type ServiceIdentifier } from 'inversify';
import { SqliteShards } from '../../adapters/sqlite/sqlite-shards';
import { embeddedFiles, makeEmbeddedFolders, shardNames } from './embedded-files';
import { TOKENS } from './tokens';

const FILES: ServiceIdentifier<SqliteShards> = Symbol.for('datapump:sqlite-shards');

/** Shards as files of one machine, opened when they are first asked for. */
export const embeddedShardsModule = new ContainerModule(({ bind }) => {
  bind(FILES)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const shards = SqliteShards.open({ folder: embeddedFiles(settings).shards, names: shardNames(settings) });
      return get(TOKENS.lifecycle).opened('shards', shards, (open) => open.close());
    })
    .inSingletonScope();
  // A service of its own, so that what watches the shards is put before it, and not before the seals' files.
  bind(TOKENS.shards)
    .toDynamicValue(({ get }) => get(FILES))
    .inSingletonScope();
  bind(TOKENS.sealWitnesses).toDynamicValue(
    ({ get }) =>
      () =>
        get<SqliteShards>(FILES)
          .all()
          .map(({ seals }) => seals),
  );
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: 'Shards:Names',
    problems: async () => {
      const shards = get(TOKENS.shards).all();
      await Promise.all(shards.map((shard) => shard.now()));
      return shards.length > 0
        ? []
        : [
            `no shard is named and none lies in ${get(TOKENS.settings)['Data:Folder']}/shards; name them, or put rows in with: datapump load`,
          ];
    },
  }));
});
