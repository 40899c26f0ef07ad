import { connectionStringProblems } from '../../adapters/event-store-db/connection-string';
import { type SettingKey, type Settings } from './declarations';
import { HIDDEN } from './setting-problem';

/** A deployment lives with one way to each server: two that contradict each other would be found out too late. */
const ONE_OF = {
  'service-bus': ['ServiceBus:Namespace', 'ServiceBus:ConnectionString', 'ServiceBus:ConnectionStringSecret'],
  'event-store-db': ['EventStore:ConnectionString', 'EventStore:ConnectionStringSecret'],
  redis: ['Redis:Url', 'Redis:UrlSecret'],
} as const satisfies Record<string, readonly SettingKey[]>;

/** The setting that says where a server is here: of a secret the one that names it, for there a person corrects it. */
export const addressSetting = (settings: Settings, server: keyof typeof ONE_OF): SettingKey =>
  [...ONE_OF[server]].reverse().find((key) => settings[key] !== '') ?? ONE_OF[server][0];

/** One matter; `found` where it is not the setting's own value. */
export type Check = (
  settings: Settings,
  wrong: (key: SettingKey, expected: string, ...found: readonly unknown[]) => void,
) => void;

const oneOf =
  (isChosen: (settings: Settings) => string | undefined, keys: readonly SettingKey[]): Check =>
  (settings, wrong) => {
    const stack = isChosen(settings);
    if (stack === undefined) return;
    const set = keys.filter((key) => settings[key] !== '');
    if (set.length === 1) return;
    const found = set.length === 0 ? undefined : `<${set.join(' and ')} are set>`;
    wrong(keys[0]!, `${set.length === 0 ? 'one' : 'only one'} of ${keys.join(', ')}, since ${stack} is chosen`, found);
  };

/** What a connection string must hold, wherever it comes from: the setting, or the secret that it names. */
const CONNECTION_CHECKS: readonly Check[] = [
  (settings, wrong) => {
    const eventStore = settings['EventStore:ConnectionString'];
    if (eventStore === '') return;
    const production = settings['Environment:Name'] === 'production';
    for (const problem of connectionStringProblems(eventStore, { production }))
      wrong('EventStore:ConnectionString', `another connection string: ${problem}`, HIDDEN);
  },
  (settings, wrong) => {
    if (!/;\s*UseDevelopmentEmulator\s*=\s*true/i.test(settings['ServiceBus:ConnectionString'])) return;
    if (settings['Environment:Name'] === 'production')
      wrong(
        'ServiceBus:ConnectionString',
        'no UseDevelopmentEmulator where Environment:Name is production: it turns encryption off',
        HIDDEN,
      );
  },
  (settings, wrong) => {
    if (settings['Redis:Url'].startsWith('redis:') && settings['Environment:Name'] === 'production')
      wrong(
        'Redis:Url',
        'rediss://… where Environment:Name is production: tokens and the password would travel in clear',
        HIDDEN,
      );
  },
];

/** What a chosen stack needs and lacks, and what production refuses of it. Secrets are named, never shown. */
export const STACK_CHECKS: readonly Check[] = [
  oneOf(
    (settings) => (settings['Stack:Bus'] === 'service-bus' ? 'Stack:Bus service-bus' : undefined),
    ONE_OF['service-bus'],
  ),
  oneOf(
    (settings) =>
      settings['Stack:EventStore'] === 'sqlite' ? undefined : `Stack:EventStore ${settings['Stack:EventStore']}`,
    ONE_OF['event-store-db'],
  ),
  oneOf((settings) => {
    const redisFor = (['Stack:Tokens', 'Stack:Allowance'] as const).find((key) => settings[key] === 'redis');
    return redisFor === undefined ? undefined : `${redisFor} redis`;
  }, ONE_OF.redis),
  (settings, wrong) => {
    if (settings['Stack:Secrets'] === 'key-vault' && settings['KeyVault:Url'] === '')
      wrong('KeyVault:Url', 'the URL of the vault, since Stack:Secrets key-vault is chosen');
  },
  (settings, wrong) => {
    if (settings['Stack:Shards'] === 'sql-server' && Object.keys(settings['Shards:Registry']).length === 0)
      wrong('Shards:Registry', 'at least one shard, since Stack:Shards sql-server is chosen', undefined);
  },
  (settings, wrong) => {
    if (settings['Stack:Shards'] !== 'sql-server') return;
    const known = Object.keys(settings['Shards:Registry']);
    const unknown = settings['Shards:Names'].filter((name) => !known.includes(name));
    if (unknown.length > 0)
      wrong('Shards:Names', `shards of Shards:Registry (${known.join(', ') || 'none yet'})`, unknown);
  },
  ...CONNECTION_CHECKS,
];

/** Of connection strings, also after the named secrets were read into their place. */
export function connectionProblems(
  settings: Settings,
): readonly { readonly key: SettingKey; readonly expected: string }[] {
  const problems: { readonly key: SettingKey; readonly expected: string }[] = [];
  for (const check of CONNECTION_CHECKS) check(settings, (key, expected) => void problems.push({ key, expected }));
  return problems;
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
