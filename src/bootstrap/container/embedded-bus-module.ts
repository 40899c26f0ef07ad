import { ContainerModule } from 'inversify';
import { SqliteMessageBus } from '../../adapters/sqlite/sqlite-message-bus';
import { declareTopology } from '../../application/messaging/topology';
import { embeddedFiles, makeEmbeddedFolders } from './embedded-files';
import { TOKENS } from './tokens';

/** The broker in a file of one machine. */
export const embeddedBusModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.bus)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const topology = declareTopology(get(TOKENS.topology));
      const bus = new SqliteMessageBus({ path: embeddedFiles(settings).bus, topology });
      return get(TOKENS.lifecycle).opened('message bus', bus, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: 'Data:Folder',
    problems: () => Promise.resolve((get(TOKENS.bus), [])),
  }));
});
