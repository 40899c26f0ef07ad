import { ID_EXPECTED, isId } from '../../domain/identifiers';
import { HIDDEN } from './setting-problem';
import { jsonFromText, type SettingKind, type WrongPart } from './setting-kinds';

export interface ShardAddress {
  /** `host`, `host,port` or `host\instance`. */
  readonly server: string;
  readonly database: string;
  /** Name of the secret with `User ID=…;Password=…`; undefined: the Managed Identity of the process. */
  readonly secret?: string;
}

export type ShardAddresses = Readonly<Record<string, ShardAddress>>;

const FORMS: Readonly<Record<keyof ShardAddress, RegExp>> = {
  server: /^[A-Za-z0-9._\\:[\]-]{1,253}(,\d{1,5})?$/,
  database: /^[^;="'{}\]]{1,128}$/,
  secret: /^[0-9A-Za-z._-]{1,127}$/,
};

/** Which database each shard is, and the NAME of its secret, never the secret. */
export const shardAddresses: SettingKind<ShardAddresses> = {
  expected: 'a map from shard to { server, database, secret }, where secret is the name of one and may be left out',
  read(found) {
    const map = typeof found === 'string' ? (found.trim() === '' ? {} : jsonFromText(found)) : found;
    if (typeof map !== 'object' || map === null || Array.isArray(map)) return undefined;
    const entries = Object.entries(map);
    return entries.every(([shard, address]) => isId(shard) && isAddress(address)) ? (map as ShardAddresses) : undefined;
  },
  parts(found) {
    const map = typeof found === 'string' ? jsonFromText(found) : found;
    if (typeof map !== 'object' || map === null || Array.isArray(map)) return [];
    return Object.entries(map).flatMap(([shard, address]) => [
      ...(isId(shard) ? [] : [{ at: '', found: shard, expected: `as a shard's name ${ID_EXPECTED}` }]),
      ...wrongMembers(shard, address),
    ]);
  },
};

const EXPECTED: Readonly<Record<keyof ShardAddress, string>> = {
  server: 'a host, host,port or host\\instance',
  database: 'the name of a database',
  secret: 'the name of a secret',
};

function wrongMembers(shard: string, address: unknown): readonly WrongPart[] {
  if (typeof address !== 'object' || address === null || Array.isArray(address))
    return [{ at: `.${shard}`, found: address, expected: '{ server, database, secret }' }];
  const known = Object.keys(FORMS) as readonly (keyof ShardAddress)[];
  const members = address as Readonly<Record<string, unknown>>;
  return [
    ...known.flatMap((name) => {
      const value = members[name];
      if (value === undefined && name === 'secret' && !(name in members)) return [];
      const sound = typeof value === 'string' && FORMS[name].test(value);
      // Whoever writes the secret where its name belongs must not see it in a log.
      return sound
        ? []
        : [{ at: `.${shard}.${name}`, found: name === 'secret' ? HIDDEN : value, expected: EXPECTED[name] }];
    }),
    ...Object.keys(members)
      .filter((name) => !Object.hasOwn(FORMS, name))
      .map((name) => ({ at: `.${shard}.${name}`, found: undefined, expected: `one of ${known.join(', ')}` })),
  ];
}

function isAddress(value: unknown): value is ShardAddress {
  if (typeof value !== 'object' || value === null) return false;
  const members = Object.entries(value as Record<string, unknown>);
  return (
    'server' in value &&
    'database' in value &&
    members.every(
      ([name, text]) =>
        Object.hasOwn(FORMS, name) && typeof text === 'string' && FORMS[name as keyof ShardAddress].test(text),
    )
  );
}
