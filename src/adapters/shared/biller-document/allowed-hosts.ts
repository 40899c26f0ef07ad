/** Which hosts a profile may name. Without this a profile could make the platform call its own network (SSRF). */
export interface AllowedHosts {
  /** Exact host names, or `*.example.com` for every name below example.com. */
  readonly allowedHosts: readonly string[];
  /** Plain http to this very machine, for development and the sandbox; production refuses the setting. */
  readonly allowPlainLoopback: boolean;
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Why the URL may not be called; undefined where it may. */
export function urlProblem(text: string, hosts: AllowedHosts): string | undefined {
  if (!URL.canParse(text)) return 'a full URL such as https://api.example.com/v1 was expected';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'a URL without user and password was expected';
  if (url.hash !== '') return 'a URL without # was expected';
  if (LOOPBACK.has(url.hostname) && hosts.allowPlainLoopback && /^https?:$/.test(url.protocol)) return undefined;
  if (url.protocol !== 'https:') return 'https was expected';
  const allowed = hosts.allowedHosts.some((pattern) => {
    const name = pattern.toLowerCase();
    return name.startsWith('*.') ? url.hostname.endsWith(name.slice(1)) : url.hostname === name;
  });
  return allowed ? undefined : `a host of the allow list was expected, ${url.hostname} is not on it`;
}
