import { ContainerModule } from 'inversify';
import { SqliteRecordProjection } from '../../adapters/sqlite/sqlite-record-projection';
import { embeddedFiles, makeEmbeddedFolders } from './embedded-files';
import { TOKENS } from './tokens';

/** The projection lies in a file of this machine on every stack, since it can be folded anew at any time. */
export const embeddedProjectionModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.projection)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const projection = new SqliteRecordProjection({ path: embeddedFiles(settings).projection });
      return get(TOKENS.lifecycle).opened('record projection', projection, (open) => open.close());
    })
    .inSingletonScope();
});
