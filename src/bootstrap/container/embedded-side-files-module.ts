import { ContainerModule } from 'inversify';
import { SqliteBillerAllowance } from '../../adapters/sqlite/sqlite-biller-allowance';
import { SqliteRecordProjection } from '../../adapters/sqlite/sqlite-record-projection';
import { embeddedFiles, makeEmbeddedFolders } from './embedded-files';
import { TOKENS } from './tokens';

/**
 * What lies in files of this machine on every stack: the billers' allowances, hence shared by the processes of one
 * machine alone, and the projection, which can be folded anew at any time.
 */
export const embeddedSideFilesModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.allowance)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const allowance = new SqliteBillerAllowance({ path: embeddedFiles(settings).allowance });
      return get(TOKENS.lifecycle).opened('biller allowance', allowance, (open) => open.close());
    })
    .inSingletonScope();

  bind(TOKENS.projection)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const projection = new SqliteRecordProjection({ path: embeddedFiles(settings).projection });
      return get(TOKENS.lifecycle).opened('record projection', projection, (open) => open.close());
    })
    .inSingletonScope();
});
