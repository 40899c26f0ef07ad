import { ContainerModule } from 'inversify';
import { SqliteBillerAllowance } from '../../adapters/sqlite/sqlite-biller-allowance';
import { embeddedFiles, makeEmbeddedFolders } from './embedded-files';
import { TOKENS } from './tokens';

/** The billers' allowances in a file of one machine: processes on another machine count for themselves. */
export const embeddedAllowanceModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.allowance)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const allowance = new SqliteBillerAllowance({ path: embeddedFiles(settings).allowance });
      return get(TOKENS.lifecycle).opened('biller allowance', allowance, (open) => open.close());
    })
    .inSingletonScope();
});
