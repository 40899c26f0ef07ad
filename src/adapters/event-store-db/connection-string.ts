/** What @eventstore/db-client 6.2.1 knows, with `-` and `_` taken out and in lower case, as it compares them. */
const KNOWN_OPTIONS = new Set(
  [
    'userCertFile',
    'userKeyFile',
    'maxDiscoverAttempts',
    'connectionName',
    'defaultDeadline',
    'discoveryInterval',
    'gossipTimeout',
    'nodePreference',
    'tls',
    'tlsCAFile',
    'throwOnAppendFailure',
    'keepAliveInterval',
    'keepAliveTimeout',
  ].map((name) => name.toLowerCase()),
);
const FORM =
  /^(?:esdb|kurrentdb|kurrent|kdb)(\+discover)?:\/\/(?:[^:@/?]+:[^:@/?]+@)?[^:@/?]+(?::\d{1,5})?(?:,[^:@/?]+(?::\d{1,5})?)*\/*(?:\?(.*))?$/;

/**
 * All that is wrong with a connection string, a sentence each; none: the adapter takes it. The sentences never quote it,
 * since it may hold a password. The client's own check would print the whole string on the console, so it comes second.
 */
export function connectionStringProblems(
  connectionString: string,
  { production }: { readonly production: boolean },
): readonly string[] {
  const match = FORM.exec(connectionString.trim());
  if (!match) {
    return [
      'the event store connection string is not of the form esdb://user:password@host:2113?tls=true, esdb+discover://…, kurrentdb://… or kurrentdb+discover://…; ' +
        'percent-encode the characters : @ / ? in the user and the password',
    ];
  }
  const problems: string[] = [];
  const hosts = connectionStringHosts(connectionString).replace(/,+$/, '');
  if (match[1] !== undefined && hosts.includes(',')) {
    problems.push(
      `the event store connection string names several hosts with +discover, of which only the first would ever be asked: ` +
        `write esdb://${hosts} for these hosts, or esdb+discover:// with one DNS name that stands for all of them`,
    );
  }
  for (const option of match[2]?.split('&') ?? []) {
    const [rawName = '', value = ''] = option.split('=');
    const name = rawName.trim().toLowerCase().replace(/[_-]/g, '');
    if (name === 'tlsverifycert') {
      problems.push(
        'the event store connection string sets tlsVerifyCert, which this client ignores: name the authority with tlsCAFile',
      );
    } else if (!KNOWN_OPTIONS.has(name) || value === '') {
      problems.push(
        `the event store connection string has an option that is unknown or empty; known are ${[...KNOWN_OPTIONS].join(', ')}`,
      );
    } else if (name === 'tls' && value.trim() !== 'true' && value.trim() !== 'false') {
      problems.push('the event store connection string says neither tls=true nor tls=false');
    } else if (name === 'tls' && value.trim() === 'false' && production) {
      problems.push(
        'the event store connection string says tls=false, which production refuses: passwords and events would travel in clear; take it out',
      );
    }
  }
  return problems;
}

/** Host and port, or the hosts, without credentials; for messages. */
export const connectionStringHosts = (connectionString: string): string =>
  connectionString
    .trim()
    .replace(/^(?:esdb|kurrentdb|kurrent|kdb)(\+discover)?:\/\//, '')
    .replace(/^.*@/, '')
    .replace(/[/?].*$/, '');

/** The same with the scheme that the client in use knows; both vendors' clients mean the same by theirs. */
export const withScheme = (connectionString: string, scheme: 'esdb' | 'kurrentdb'): string =>
  connectionString.trim().replace(/^[a-z]+(?=(\+discover)?:\/\/)/, scheme);
