import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteFile } from '../../src/adapters/sqlite/sqlite-file';
import { demandPrivate, makePrivateFolder, whyNotChecked } from '../../src/adapters/system/private-folder';

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const schema = ['CREATE TABLE thing (id INTEGER PRIMARY KEY)'];

describe('the data folder (issue 8, no 17)', () => {
  let above: string;
  beforeEach(() => (above = mkdtempSync(join(tmpdir(), 'private-folder-'))));
  afterEach(() => rmSync(above, { recursive: true, force: true }));

  it.each([0o000, 0o022, 0o077, 0o177])('and all in it are their owner’s alone under the umask %o', (umask) => {
    const before = process.umask(umask);
    try {
      const folder = join(above, 'a', 'data', 'shards');
      makePrivateFolder(folder);
      const database = openSqliteFile({ path: join(folder, 'x.sqlite'), kind: 'shard', schema });
      database.exec('INSERT INTO thing DEFAULT VALUES');
      expect([join(above, 'a'), join(above, 'a', 'data'), folder].map(mode)).toEqual(['700', '700', '700']);
      expect(readdirSync(folder).sort()).toEqual(['x.sqlite', 'x.sqlite-shm', 'x.sqlite-wal']);
      for (const name of readdirSync(folder)) expect([name, mode(join(folder, name))]).toEqual([name, '600']);
      database.close();
      expect(() => demandPrivate(join(above, 'a', 'data'))).not.toThrow();
    } finally {
      process.umask(before);
    }
  });

  it('that was there before is left as it is', () => {
    chmodSync(above, 0o755);
    makePrivateFolder(join(above, 'data'));
    makePrivateFolder(above);
    expect([mode(above), mode(join(above, 'data'))]).toEqual(['755', '700']);
  });

  it.each([0o701, 0o710, 0o704, 0o750, 0o755, 0o777])(
    'is refused with the mode %o, with the remedy in words',
    (wide) => {
      const folder = join(above, "it's data");
      mkdirSync(folder);
      chmodSync(folder, wide);
      expect(() => demandPrivate(folder)).toThrow(
        expect.objectContaining({
          code: 'storage-exposed',
          message: expect.stringMatching(/expected mode 700.*chmod 700 '.*it'\\''s data'/),
        }),
      );
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  it.each(['bus.sqlite', 'bus.sqlite-wal', 'shards/Shard-1.sqlite', 'shards'])(
    'is refused where %s in it is open to others',
    (name) => {
      makePrivateFolder(join(above, 'shards'));
      const path = join(above, name);
      if (name !== 'shards') writeFileSync(path, '');
      chmodSync(path, name === 'shards' ? 0o750 : 0o640);
      expect(() => demandPrivate(above)).toThrow(/mode 600|chmod 600/);
      chmodSync(path, name === 'shards' ? 0o700 : 0o600);
      expect(() => demandPrivate(above)).not.toThrow();
    },
  );

  it('of another user is refused', () => {
    const user = jest.spyOn(process, 'getuid').mockReturnValue(statSync(above).uid + 1);
    expect(() => demandPrivate(above)).toThrow(/belongs to user \d+ and this process runs as user \d+/);
    user.mockRestore();
  });

  it('is not checked where there are no permission bits', () => {
    chmodSync(above, 0o755);
    const { platform } = process;
    Object.defineProperty(process, 'platform', { value: 'win32' });
    expect(whyNotChecked(above)).toBe('this system has no permission bits');
    expect(() => demandPrivate(above)).not.toThrow();
    Object.defineProperty(process, 'platform', { value: platform });
    expect(whyNotChecked(above)).toBeUndefined();
  });
});
