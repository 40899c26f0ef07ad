import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileBillerProfiles } from '../../src/adapters/biller-profiles/file-biller-profiles';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { LOOPBACK_RULES, template } from '../support/biller-fixtures';
import { billerProfilesContract } from './biller-profiles.contract';

billerProfilesContract('files, versions in the SQLite event store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'profiles-'));
  const empty = mkdtempSync(join(tmpdir(), 'no-profiles-'));
  const eventStore = new SqliteEventStore({ path: ':memory:' });
  const over = (where: string): FileBillerProfiles =>
    new FileBillerProfiles({
      ...LOOPBACK_RULES,
      folder: where,
      eventStore,
      clock: new SystemClock(),
      chance: new SystemChance(),
      by: 'test',
      refreshMs: 0,
    });
  const file = join(folder, '12.json');
  return {
    profiles: over(folder),
    another: () => over(empty),
    put: async (timeout, tenant) => {
      if (timeout === undefined) rmSync(file);
      else
        writeFileSync(
          file,
          JSON.stringify(
            instantiateTemplate(template('form-api-key-keys'), {
              billerId: '12',
              baseUrl: 'https://api.example',
              overrides: {
                Timeout: timeout,
                Mode: `${timeout} ${tenant}`,
                ...(tenant === undefined ? {} : { Tenant: tenant }),
              },
            }),
          ),
        );
    },
    close: async () => {
      await eventStore.close();
      rmSync(folder, { recursive: true });
      rmSync(empty, { recursive: true });
    },
  };
});
