import { lookup as systemLookup, type LookupAllOptions } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { type AllowedHosts, hostMatches, LOOPBACK } from '../shared/biller-document/allowed-hosts';

type Ranges = readonly (readonly [network: string, prefix: number])[];

/** Where machines tell their secrets to whoever asks: Azure, AWS, Google, Alibaba. No setting opens these. */
const METADATA: Ranges = [
  ['169.254.169.254', 32],
  ['168.63.129.16', 32],
  ['100.100.100.200', 32],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
];
const LOOPBACKS: Ranges = [
  ['127.0.0.0', 8],
  ['::1', 128],
];
/** Networks of one's own (RFC 1918, RFC 4193, RFC 6598): a biller may be there where the settings say so. */
const PRIVATE: Ranges = [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['fc00::', 7],
];
/** What else is no host on the internet (IANA special-purpose registries), or holds another address within itself. */
const NOWHERE: Ranges = [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 96],
  ['::ffff:0:0', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

function blockList(ranges: Ranges): (address: string) => boolean {
  // One for each family: a list matches an address mapped into IPv6 by its rules for IPv4 too.
  const lists = { 4: new BlockList(), 6: new BlockList() };
  for (const [network, prefix] of ranges) {
    const family = isIP(network) as 4 | 6;
    lists[family].addSubnet(network, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    const family = isIP(address) as 4 | 6;
    return lists[family].check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

const ADDRESS_OF_LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1']);
const isMetadata = blockList(METADATA);
const isLoopback = blockList(LOOPBACKS);
const isPrivate = blockList(PRIVATE);
const isNowhere = blockList(NOWHERE);

/** Whether a socket for `host` may be opened to `address`. `host` is a URL's: lower case, IPv6 in brackets. */
export function addressAllowed(address: string, host: string, hosts: AllowedHosts): boolean {
  // What a sandbox on this machine is called at: no metadata service, and looked up for each call.
  if (ADDRESS_OF_LOOPBACK.has(address)) return hosts.allowPlainLoopback && LOOPBACK.has(host);
  const [plain = ''] = address.split('%');
  if (isIP(plain) === 0 || isMetadata(plain)) return false;
  if (isLoopback(plain)) return hosts.allowPlainLoopback && LOOPBACK.has(host);
  if (isNowhere(plain)) return false;
  return !isPrivate(plain) || hostMatches(host, hosts.privateHosts ?? []);
}

/** The address that a URL's host is itself; undefined: a name. A socket to an address asks no lookup. */
export function literalAddress(host: string): string | undefined {
  const plain = host.replace(/^\[|\]$/g, '');
  return isIP(plain) === 0 ? undefined : plain;
}

export const ADDRESS_REFUSED = 'ERR_ADDRESS_REFUSED';

/**
 * The system's lookup without the addresses that may not be connected to. The socket is opened to what this returns, so
 * a name that is answered otherwise a moment later changes nothing.
 */
export function guardedLookup(hosts: AllowedHosts, lookup: typeof systemLookup = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    const asked: LookupAllOptions = { ...options, all: true };
    lookup(hostname, asked, (error, found) => {
      if (error) return callback(error, '', 0);
      const addresses = found.filter(({ address }) => addressAllowed(address, hostname.toLowerCase(), hosts));
      const [first] = addresses;
      if (!first) {
        const refused = new Error('no address of the host may be connected to');
        return callback(Object.assign(refused, { code: ADDRESS_REFUSED }), '', 0);
      }
      if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
