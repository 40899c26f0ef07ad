import { ContainerModule } from 'inversify';
import { declareTopology } from '../../application/topology';
import { SqliteBillerAllowance } from '../../adapters/sqlite/sqlite-biller-allowance';
import { SqliteEventStore } from '../../adapters/sqlite/sqlite-event-store';
import { SqliteMessageBus } from '../../adapters/sqlite/sqlite-message-bus';
import { SqliteRecordProjection } from '../../adapters/sqlite/sqlite-record-projection';
import { SqliteShards } from '../../adapters/sqlite/sqlite-shards';
import { InProcessTokenCache } from '../../adapters/system/in-process-token-cache';
import { embeddedFiles, makeEmbeddedFolders, shardNames } from './embedded-files';
import { TOKENS } from './tokens';

/** The embedded stack: durable SQLite files of one machine, no server. Files open when they are first asked for. */
export const embeddedModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.shards).toDynamicValue(({ get }) => {
    const settings = get(TOKENS.settings);
    makeEmbeddedFolders(settings);
    const shards = SqliteShards.open({ folder: embeddedFiles(settings).shards, names: shardNames(settings) });
    return get(TOKENS.lifecycle).opened('shards', shards, (open) => open.close());
  }).inSingletonScope();

  bind(TOKENS.eventStore).toDynamicValue(({ get }) => {
    const settings = get(TOKENS.settings);
    makeEmbeddedFolders(settings);
    const store = new SqliteEventStore({ path: embeddedFiles(settings).eventStore });
    return get(TOKENS.lifecycle).opened('event store', store, (open) => open.close());
  }).inSingletonScope();

  bind(TOKENS.bus).toDynamicValue(({ get }) => {
    const settings = get(TOKENS.settings);
    makeEmbeddedFolders(settings);
    const bus = new SqliteMessageBus({ path: embeddedFiles(settings).bus, topology: declareTopology(get(TOKENS.topology)) });
    return get(TOKENS.lifecycle).opened('message bus', bus, (open) => open.close());
  }).inSingletonScope();

  bind(TOKENS.allowance).toDynamicValue(({ get }) => {
    const settings = get(TOKENS.settings);
    makeEmbeddedFolders(settings);
    const allowance = new SqliteBillerAllowance({ path: embeddedFiles(settings).allowance });
    return get(TOKENS.lifecycle).opened('biller allowance', allowance, (open) => open.close());
  }).inSingletonScope();

  bind(TOKENS.projection).toDynamicValue(({ get }) => {
    const settings = get(TOKENS.settings);
    makeEmbeddedFolders(settings);
    const projection = new SqliteRecordProjection({ path: embeddedFiles(settings).projection });
    return get(TOKENS.lifecycle).opened('record projection', projection, (open) => open.close());
  }).inSingletonScope();

  bind(TOKENS.tokens).toDynamicValue(({ get }) => new InProcessTokenCache(get(TOKENS.clock))).inSingletonScope();
});
