import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentSecretSource } from '../../src/adapters/system/environment-secret-source';

describe('EnvironmentSecretSource', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'secrets-'));
    file = join(folder, 'secrets.json');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('reads the environment first, then the file, and sees a renewed file', async () => {
    writeFileSync(file, JSON.stringify({ 'one-key': 'from file', 'two-key': 'from file' }));
    const source = new EnvironmentSecretSource({ environment: { DATAPUMP_SECRET_ONE_KEY: 'from environment' }, file });
    expect(await source.secret('one-key')).toBe('from environment');
    expect(await source.secret('two-key')).toBe('from file');
    writeFileSync(file, JSON.stringify({ 'two-key': 'renewed' }));
    expect(await source.secret('two-key')).toBe('renewed');
  });

  it('names the missing secret and where to put it', async () => {
    await expect(new EnvironmentSecretSource({ environment: {} }).secret('one-key')).rejects.toMatchObject({
      code: 'secret-missing',
      message: expect.stringContaining('DATAPUMP_SECRET_ONE_KEY'),
    });
    await expect(new EnvironmentSecretSource({ environment: {}, file }).secret('constructor')).rejects.toMatchObject({
      code: 'secret-missing',
    });
  });

  it('does not quote a broken file', async () => {
    writeFileSync(file, '{"one-key": PRIVATE');
    const error = (await new EnvironmentSecretSource({ environment: {}, file })
      .secret('one-key')
      .catch((caught: unknown) => caught)) as Error;
    expect(error.message + String(error.cause)).not.toContain('PRIVATE');
  });
});
