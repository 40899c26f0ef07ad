import { loadDriver } from '../../src/adapters/shared/sqlite-driver';

const missing = (): never => {
  throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
};

describe('the driver of SQLite (issue 8, no 22)', () => {
  it.each([
    ['20.19.0', 'better-sqlite3'],
    ['22.0.0', 'better-sqlite3-13'],
    ['24.19.0', 'better-sqlite3-13'],
    ['26.1.0', 'better-sqlite3-13'],
  ])('on Node %s is %s', (version, name) => {
    const asked: string[] = [];
    loadDriver(version, (line) => asked.push(line));
    expect(asked).toEqual([name]);
  });

  it('that is missing is told with what to do', () => {
    expect(() => loadDriver('22.3.0', missing)).toThrow(
      'better-sqlite3-13, which reads and writes the files of the embedded stack on Node 22.3.0, is not installed: npm leaves an optional dependency out with --omit=optional, and where it was installed under Node 20; install again under this Node: npm ci --include=optional',
    );
    expect(() => loadDriver('20.19.0', missing)).toThrow(/is not installed: npm ci$/);
  });

  it('that is of another Node is told with what to do', () => {
    const other = (): never => {
      throw Object.assign(new Error('was compiled against'), { code: 'ERR_DLOPEN_FAILED' });
    };
    expect(() => loadDriver('22.3.0', other)).toThrow(
      /installed for another Node, system or processor; install again on this one: npm ci$/,
    );
  });
});
