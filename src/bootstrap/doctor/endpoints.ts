import { connectionStringHosts } from '../../adapters/event-store-db/connection-string';
import { type BillerDocument, tokenUrlUnder } from '../../adapters/shared/biller-document/biller-document';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type Settings } from '../configuration/declarations';
import { addressSetting } from '../configuration/stack-checks';

/** A server that a process talks to. */
export interface Endpoint {
  /** The setting, or the biller, that names it: where a person corrects it. */
  readonly where: string;
  readonly host: string;
  /** Undefined: it speaks no TLS from the first byte, so only its name is looked for. */
  readonly tls: { readonly port: number; readonly authorities?: string } | undefined;
}

const HTTPS_PORT = 443;
const AMQPS_PORT = 5671;
const EVENT_STORE_PORT = 2113;

/** Every server that these settings and profiles name, once each. Connection strings are read here and never shown. */
export function endpointsOf(settings: Settings, profiles: readonly BillerProfile[]): readonly Endpoint[] {
  const all = [
    ...(settings['Stack:Secrets'] === 'key-vault' ? https('KeyVault:Url', settings['KeyVault:Url']) : []),
    ...busOf(settings),
    ...eventStoreOf(settings),
    ...redisOf(settings),
    ...(settings['Stack:Shards'] === 'sql-server'
      ? Object.entries(settings['Shards:Registry']).map(([shard, { server }]) => ({
          where: `Shards:Registry, shard ${shard}`,
          // `tcp:host,1433` as SQL Server's clients write it.
          host: server.replace(/^tcp:/i, '').split(/[,\\]/)[0]!,
          tls: undefined,
        }))
      : []),
    ...profiles.filter(({ rollout }) => rollout !== 'off').flatMap((profile) => billerOf(profile, settings)),
  ];
  return [...new Map(all.map((one) => [`${one.host}:${one.tls?.port ?? ''}`, one])).values()];
}

function https(where: string, url: string): readonly Endpoint[] {
  if (!URL.canParse(url)) return [];
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return [{ where, host, tls: protocol === 'https:' ? { port: Number(port || HTTPS_PORT) } : undefined }];
}

function busOf(settings: Settings): readonly Endpoint[] {
  if (settings['Stack:Bus'] !== 'service-bus') return [];
  const where = addressSetting(settings, 'service-bus');
  const text = settings['ServiceBus:ConnectionString'];
  const host = settings['ServiceBus:Namespace'] || /^Endpoint=sb:\/\/([^:/;\s]+)/i.exec(text)?.[1];
  if (host === undefined) return [];
  const plain = /;\s*UseDevelopmentEmulator\s*=\s*true/i.test(text);
  return [{ where, host, tls: plain ? undefined : { port: AMQPS_PORT } }];
}

function eventStoreOf(settings: Settings): readonly Endpoint[] {
  const text = settings['EventStore:ConnectionString'];
  if (settings['Stack:EventStore'] === 'sqlite' || text === '') return [];
  const option = (name: string): string | undefined =>
    new RegExp(`[?&]${name}=([^&]*)`, 'i').exec(text.replace(/[_-]/g, ''))?.[1];
  const plain = option('tls') === 'false';
  const authorities = /[?&]tls[_-]?ca[_-]?file=([^&]*)/i.exec(text)?.[1];
  return connectionStringHosts(text)
    .split(',')
    .filter(Boolean)
    .map((place) => {
      const [host, port] = place.split(':');
      return {
        where: addressSetting(settings, 'event-store-db'),
        host: host!,
        tls: plain
          ? undefined
          : {
              port: Number(port ?? EVENT_STORE_PORT),
              ...(authorities === undefined ? {} : { authorities: decodeURIComponent(authorities) }),
            },
      };
    });
}

function redisOf(settings: Settings): readonly Endpoint[] {
  const url = settings['Redis:Url'];
  const chosen = settings['Stack:Tokens'] === 'redis' || settings['Stack:Allowance'] === 'redis';
  if (!chosen || !URL.canParse(url)) return [];
  const { protocol, hostname, port } = new URL(url);
  return [
    {
      where: addressSetting(settings, 'redis'),
      host: hostname,
      tls: protocol === 'rediss:' ? { port: Number(port || 6_380) } : undefined,
    },
  ];
}

function billerOf(profile: BillerProfile, settings: Settings): readonly Endpoint[] {
  const { BaseUrl, Authentication: auth } = profile.document as unknown as BillerDocument;
  const authority = settings['Auth:Authority'];
  const token =
    auth.Kind !== 'OAuth2ClientCredentials' ? undefined : (auth.TokenUrl ?? (authority && tokenUrlUnder(authority)));
  return [BaseUrl, ...(token ? [token] : [])].flatMap((url) => https(`biller ${profile.billerId}`, url));
}
