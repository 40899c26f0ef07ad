import { dirname } from 'node:path';
import { ContainerModule } from 'inversify';
import { SqliteHistoryWitness } from '../../adapters/sqlite/sqlite-history-witness';
import { makePrivateFolder } from '../../adapters/system/private-folder';
import { createHistoryGuard } from '../../application/history/history-guard';
import { embeddedFiles } from './embedded-files';
import { TOKENS } from './tokens';

/** The event store as everybody uses it: behind the guard that knows whether it is the right one. */
export const historyModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.historyWitness)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      const path = settings['History:WitnessFile'] || embeddedFiles(settings).witness;
      // It may be the first to write: what it makes of the data folder must be private as what others make.
      makePrivateFolder(dirname(path));
      return get(TOKENS.lifecycle).opened('history witness', new SqliteHistoryWitness({ path }), (open) =>
        open.close(),
      );
    })
    .inSingletonScope();
  bind(TOKENS.historyGuard)
    .toDynamicValue(({ get }) =>
      createHistoryGuard({
        eventStore: get(TOKENS.unguardedEventStore),
        // Asked for at the first look: a command that only reads opens neither the shards nor the witness.
        get shards() {
          return get(TOKENS.shards);
        },
        get witnesses() {
          return [get(TOKENS.historyWitness)];
        },
        clock: get(TOKENS.clock),
        telemetry: get(TOKENS.telemetry),
      }),
    )
    .inSingletonScope();
  bind(TOKENS.eventStore)
    .toDynamicValue(({ get }) => get(TOKENS.historyGuard).eventStore)
    .inSingletonScope();
});
