import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { createContainer } from '../../src/bootstrap/container/create-container';
import { TOKENS } from '../../src/bootstrap/container/tokens';

/** On the production stack the witness is the first that writes on this machine, and the kept answers come much later. */
it('the data folder is its owner’s alone, whoever is the first to write into it', async () => {
  const volume = mkdtempSync(join(tmpdir(), 'datapump-volume-'));
  const umask = process.umask(0o022);
  try {
    const folder = join(volume, 'data');
    const loaded = loadSettings({ environment: {}, overrides: { 'Data:Folder': folder } });
    if ('problems' in loaded) throw new Error('the settings are wrong');
    const container = createContainer(loaded.settings, 'test');
    container.get(TOKENS.historyWitness);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(() => container.get(TOKENS.snippets)).not.toThrow();
    expect(await container.get(TOKENS.lifecycle).close()).toEqual([]);
  } finally {
    process.umask(umask);
    rmSync(volume, { recursive: true, force: true });
  }
});
