import { jsonFromText, type SettingKind } from './setting-kinds';

export interface ShardAddress {
  /** `host`, `host,port` or `host\instance`. */
  readonly server: string;
  readonly database: string;
  /** Name of the secret with `User ID=…;Password=…`; undefined: the Managed Identity of the process. */
  readonly secret?: string;
}

export type ShardAddresses = Readonly<Record<string, ShardAddress>>;

const SHARD = /^[^\s:]{1,56}$/;
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
    return entries.every(([shard, address]) => SHARD.test(shard) && isAddress(address))
      ? (map as ShardAddresses)
      : undefined;
  },
};

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
