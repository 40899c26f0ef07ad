import { connectionStringHosts, connectionStringProblems } from '../../src/adapters/event-store-db/connection-string';

const SECRET = 'changeit';

describe('a connection string of EventStoreDB', () => {
  it.each([
    'esdb://host',
    'esdb://host:2113',
    `esdb://admin:${SECRET}@host:2113?tls=true`,
    `esdb+discover://admin:${SECRET}@cluster.example:2113?nodePreference=leader&tlsCAFile=%2Fca.pem`,
    'esdb://one:2113,two:2113,three:2113/?gossipTimeout=3',
    'kurrentdb://host:2113',
    `kurrentdb+discover://admin:${SECRET}@cluster.example:2113?tls=true`,
  ])('is taken in production: %s', (text) => {
    expect(connectionStringProblems(text, { production: true })).toEqual([]);
  });

  it.each([['tls=false'], ['TLS=false'], ['t_l-s=false'], ['tls=true&tls=false'], ['nodePreference=leader&tls=false']])(
    'with %s is refused in production alone',
    (options) => {
      const text = `esdb://host:2113?${options}`;
      expect(connectionStringProblems(text, { production: true })).toEqual([
        expect.stringContaining('production refuses'),
      ]);
      expect(connectionStringProblems(text, { production: false })).toEqual([]);
    },
  );

  it.each([
    ['http://host', 'not of the form'],
    ['', 'not of the form'],
    [`esdb://admin:${SECRET}:x@host`, 'not of the form'],
    [`esdb://admin:${SECRET}@host?tls=no`, 'neither tls=true nor tls=false'],
    [`esdb://admin:${SECRET}@host?tsl=true`, 'unknown or empty'],
    [`esdb://admin:${SECRET}@host?tls`, 'unknown or empty'],
    [`esdb://admin:${SECRET}@host?tlsVerifyCert=false`, 'ignores'],
  ])('%s is refused without being quoted', (text, problem) => {
    const problems = connectionStringProblems(text, { production: false });
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(problems.join()).not.toContain(SECRET);
  });

  it.each(['esdb', 'kurrentdb', 'kurrent'])(
    'with %s+discover and several hosts is refused: only the first would be asked (issue 9, no 8)',
    (scheme) => {
      for (const rest of ['a,b,c', 'a:2113,b:2113', `admin:${SECRET}@a:2113,b:2113,c:2113/?tls=true`]) {
        const problems = connectionStringProblems(`${scheme}+discover://${rest}`, { production: true });
        expect(problems).toEqual([expect.stringMatching(/only the first.*write esdb:\/\/a(:2113)?,b/)]);
        expect(problems.join()).not.toContain(SECRET);
      }
      expect(connectionStringProblems(`${scheme}+discover://cluster.example:2113`, { production: true })).toEqual([]);
    },
  );

  it('is known to people by its hosts', () => {
    expect(connectionStringHosts(`esdb://admin:${SECRET}@one:2113,two:2113/?tls=true`)).toBe('one:2113,two:2113');
    expect(connectionStringHosts('esdb+discover://cluster.example')).toBe('cluster.example');
    expect(connectionStringHosts('kurrentdb+discover://cluster.example')).toBe('cluster.example');
  });
});
