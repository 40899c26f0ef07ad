/** Which hosts a profile may name. Without this a profile could make the platform call its own network (SSRF). */
export interface AllowedHosts {
  /**
   * Host names, or `*.example.com` for every name below example.com: the port is 443, or the one that the pattern
   * names (`api.example.com:8443`).
   */
  readonly allowedHosts: readonly string[];
  /** Plain http to this very machine, for development and the sandbox; production refuses the setting. */
  readonly allowPlainLoopback: boolean;
  /** Of the allowed hosts those that lie in a private network; all others are connected to at public addresses alone. */
  readonly privateHosts?: readonly string[];
}

export const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
/** `127.0.0.1`, `[::1]`: the URL parser has brought every other spelling of an address (hex, octal, one number) to these. */
const ADDRESS = /^(\[.*\]|\d{1,3}(\.\d{1,3}){3})$/;

/** Why the URL may not be called; undefined where it may. */
export function urlProblem(text: string, hosts: AllowedHosts): string | undefined {
  // The URL parser would mend these, each in a way that the writer did not mean.
  if (/[\\{}\s]/.test(text)) return 'a URL without placeholders, backslashes and blanks was expected';
  if (!URL.canParse(text)) return 'a full URL such as https://api.example.com/v1 was expected';
  return problemOfUrl(new URL(text), hosts);
}

export function problemOfUrl(url: URL, hosts: AllowedHosts): string | undefined {
  if (url.username !== '' || url.password !== '') return 'a URL without user and password was expected';
  if (url.hash !== '') return 'a URL without # was expected';
  if (LOOPBACK.has(url.hostname)) {
    if (hosts.allowPlainLoopback && /^https?:$/.test(url.protocol)) return undefined;
    return `another host was expected: ${url.hostname} is this very machine, which only Billers:AllowPlainLoopback true allows, for development`;
  }
  if (url.protocol !== 'https:') return 'https was expected';
  if (ADDRESS.test(url.hostname)) return `a host name was expected, ${url.hostname} is an address`;
  const port = url.port === '' ? '443' : url.port;
  const byName = hosts.allowedHosts.filter((pattern) => nameMatches(pattern, url.hostname));
  if (byName.some((pattern) => portOf(pattern) === port)) return undefined;
  return byName.length === 0
    ? `a host of the allow list was expected, ${url.hostname} is not on it`
    : `port ${byName.map(portOf).join(' or ')} was expected: Billers:AllowedHosts has ${byName.join(', ')}, found port ${port}`;
}

const portOf = (pattern: string): string => /:(\d+)$/.exec(pattern)?.[1] ?? '443';

function nameMatches(pattern: string, hostname: string): boolean {
  const name = pattern.replace(/:\d+$/, '').toLowerCase();
  return name.startsWith('*.') ? hostname.endsWith(name.slice(1)) : hostname === name;
}

/** Names that nobody can register: below these a wildcard opens nothing of a stranger's (RFC 6761). */
const RESERVED = new Set(['example', 'test', 'invalid']);
/** Under these anybody may have a name; the ones seen most, as the whole list is another's to keep (publicsuffix.org). */
const PUBLIC_SUFFIXES = new Set([
  'co.uk', 'org.uk', 'me.uk', 'gov.uk', 'ac.uk', 'com.au', 'net.au', 'org.au', 'co.nz', 'co.jp', 'co.kr', 'co.in', 'co.za',
  'com.br', 'com.mx', 'com.ar', 'com.tr', 'com.cn', 'com.sg', 'com.hk', 'com.tw', 'com.pl', 'com.ua', 'com.my', 'co.il', 'co.at',
  'azurewebsites.net', 'cloudapp.net', 'cloudapp.azure.com', 'azure-api.net', 'azureedge.net', 'azurefd.net',
  'azurecontainerapps.io', 'azurestaticapps.net', 'blob.core.windows.net', 'core.windows.net', 'trafficmanager.net',
  'amazonaws.com', 'elasticbeanstalk.com', 'cloudfront.net', 'awsapprunner.com', 'on.aws', 'herokuapp.com', 'github.io', 'gitlab.io',
  'vercel.app', 'netlify.app', 'web.app', 'firebaseapp.com', 'appspot.com', 'run.app', 'cloudfunctions.net', 'pages.dev',
  'workers.dev', 'ngrok.io', 'ngrok.app', 'ngrok-free.app', 'trycloudflare.com', 'onrender.com', 'fly.dev', 'nip.io', 'sslip.io',
  'duckdns.org', 'dyndns.org', 'no-ip.org',
]); // prettier-ignore
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** What is wrong with an entry of Billers:AllowedHosts; undefined where nothing is. */
export function hostPatternProblem(pattern: string): string | undefined {
  const [, wildcard, name = '', port] = /^(\*\.)?(.*?)(?::(\d{1,5}))?$/s.exec(pattern.toLowerCase()) ?? [];
  const labels = name.split('.');
  if (name.length > 253 || !labels.every((label) => LABEL.test(label)))
    return 'a host name in ASCII was expected, without a dot at its end';
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return 'a port from 1 to 65535 was expected';
  // The URL parser reads a last label of digits, or 0x…, as part of an address.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) return 'a host name was expected, not an address';
  if (labels.at(-1) === 'localhost')
    return 'another host was expected; this machine is a matter of Billers:AllowPlainLoopback';
  if (name === 'metadata.google.internal') return "another host was expected: it gives away this machine's identity";
  if (wildcard !== undefined && labels.length === 1 && !RESERVED.has(name))
    return 'two labels or more were expected after *., or it lets in strangers';
  if (wildcard !== undefined && PUBLIC_SUFFIXES.has(name))
    return `another name was expected after *.: anybody may have one below ${name}`;
  return undefined;
}

/** A host by one of the patterns: its own name, or `*.` for every name below; whatever the port. */
export const hostMatches = (host: string, patterns: readonly string[]): boolean =>
  patterns.some((pattern) => nameMatches(pattern, host));
