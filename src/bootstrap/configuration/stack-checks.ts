import { connectionStringProblems } from '../../adapters/event-store-db/connection-string';
import { type SettingKey, type Settings } from './declarations';
import { HIDDEN, type SettingProblem } from './setting-problem';

/** A deployment lives with one way to each server: two that contradict each other would be found out too late. */
const ONE_OF = {
  'service-bus': ['ServiceBus:Namespace', 'ServiceBus:ConnectionString', 'ServiceBus:ConnectionStringSecret'],
  'event-store-db': ['EventStore:ConnectionString', 'EventStore:ConnectionStringSecret'],
  redis: ['Redis:Url', 'Redis:UrlSecret'],
} as const satisfies Record<string, readonly SettingKey[]>;

/** The setting that says where a server is here: of a secret the one that names it, for there a person corrects it. */
export const addressSetting = (settings: Settings, server: keyof typeof ONE_OF): SettingKey =>
  [...ONE_OF[server]].reverse().find((key) => settings[key] !== '') ?? ONE_OF[server][0];

/** What a chosen stack needs and lacks, and what production refuses of it. Secrets are named, never shown. */
export function stackProblems(settings: Settings, where: (key: SettingKey) => string): readonly SettingProblem[] {
  const problems: SettingProblem[] = [];
  const add = (key: SettingKey, expected: string, found: unknown = settings[key]): void => {
    problems.push({ key, found, expected, where: where(key) });
  };
  const demandOneOf = (stack: string, keys: readonly SettingKey[]): void => {
    const set = keys.filter((key) => settings[key] !== '');
    if (set.length === 1) return;
    const names = keys.join(', ');
    const found = set.length === 0 ? undefined : `<${set.join(' and ')} are set>`;
    add(keys[0]!, `${set.length === 0 ? 'one' : 'only one'} of ${names}, since ${stack} is chosen`, found);
  };
  if (settings['Stack:Bus'] === 'service-bus') demandOneOf('Stack:Bus service-bus', ONE_OF['service-bus']);
  if (settings['Stack:EventStore'] === 'event-store-db')
    demandOneOf('Stack:EventStore event-store-db', ONE_OF['event-store-db']);
  const redisFor = (['Stack:Tokens', 'Stack:Allowance'] as const).find((key) => settings[key] === 'redis');
  if (redisFor !== undefined) demandOneOf(`${redisFor} redis`, ONE_OF.redis);
  if (settings['Stack:Secrets'] === 'key-vault' && settings['KeyVault:Url'] === '')
    add('KeyVault:Url', 'the URL of the vault, since Stack:Secrets key-vault is chosen');
  if (settings['Stack:Shards'] === 'sql-server') {
    const known = Object.keys(settings['Shards:Registry']);
    if (known.length === 0)
      add('Shards:Registry', 'at least one shard, since Stack:Shards sql-server is chosen', undefined);
    const unknown = settings['Shards:Names'].filter((name) => !known.includes(name));
    if (unknown.length > 0)
      add('Shards:Names', `shards of Shards:Registry (${known.join(', ') || 'none yet'})`, unknown);
  }
  for (const { key, expected } of connectionProblems(settings)) add(key, expected, HIDDEN);
  return problems;
}

/** Of connection strings, also after the named secrets were read into their place. */
export function connectionProblems(
  settings: Settings,
): readonly { readonly key: SettingKey; readonly expected: string }[] {
  const production = settings['Environment:Name'] === 'production';
  const eventStore = settings['EventStore:ConnectionString'];
  return [
    ...(eventStore === '' ? [] : connectionStringProblems(eventStore, { production })).map((problem) => ({
      key: 'EventStore:ConnectionString' as const,
      expected: `another connection string: ${problem}`,
    })),
    ...(production && /;\s*UseDevelopmentEmulator\s*=\s*true/i.test(settings['ServiceBus:ConnectionString'])
      ? [
          {
            key: 'ServiceBus:ConnectionString' as const,
            expected: 'no UseDevelopmentEmulator where Environment:Name is production: it turns encryption off',
          },
        ]
      : []),
    ...(production && settings['Redis:Url'].startsWith('redis:')
      ? [
          {
            key: 'Redis:Url' as const,
            expected: 'rediss://… where Environment:Name is production: tokens and the password would travel in clear',
          },
        ]
      : []),
  ];
}

const INSPECT = /^--inspect(-brk|-wait|-port|-publish-uid)?(=|$)/;

/** A debugger reads every secret of the process; production refuses to start with one. */
export function inspectorProblem(
  settings: Settings,
  words: readonly string[] = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)],
): string | undefined {
  const found = words.find((word) => INSPECT.test(word));
  return found === undefined || settings['Environment:Name'] !== 'production'
    ? undefined
    : `${found.split('=')[0]}: refused where Environment:Name is production, since a debugger reads every secret; take it out of the command line or NODE_OPTIONS`;
}
