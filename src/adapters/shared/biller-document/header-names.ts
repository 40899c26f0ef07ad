/*
 * Which headers a profile may name, and for what. One place for validation and for the moment before sending: a header
 * that another layer overwrites, drops or frames by would leave without the key that the biller was to know us by.
 *
 * Sources: RFC 9110 §7.6.1 (connection-specific), §6.6, §8 and §10; RFC 9113 §8.2.2; the forbidden request headers of
 * the fetch standard; W3C Trace Context.
 */

/** Of the connection and the framing: HTTP clients and proxies drop, rewrite or obey them. */
const FRAMING = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'trailers', 'transfer-encoding', 'upgrade', 'http2-settings',
  'content-length', 'content-encoding', 'content-range', 'expect', 'host', 'via', 'max-forwards', 'alt-used', 'early-data',
]); // prettier-ignore
/** Of the client and of datapump: set by it, or belonging to tracing and to other programs than this one. */
const OWNED = new Set([
  'accept-charset', 'accept-encoding', 'access-control-request-headers', 'access-control-request-method', 'date', 'dnt',
  'origin', 'referer', 'range', 'if-range', 'forwarded', 'traceparent', 'tracestate', 'baggage', 'b3',
  'x-http-method', 'x-http-method-override', 'x-method-override',
]); // prettier-ignore
/** What lets a call in: named by Authentication, its value in a secret and never in a profile. */
const CREDENTIAL = new Set([
  'authorization', 'x-api-key', 'x-apikey', 'api-key', 'apikey', 'x-auth-token', 'x-access-token', 'x-authorization', 'x-amz-security-token',
  'x-goog-api-key', 'x-functions-key', 'x-vault-token', 'ocp-apim-subscription-key', 'x-csrf-token', 'x-xsrf-token',
]); // prettier-ignore
/** Credentials of browsers and proxies: not ours, and not an API key's place either. */
const FOREIGN_CREDENTIAL = new Set([
  'cookie', 'cookie2', 'set-cookie', 'set-cookie2', 'www-authenticate', 'authentication-info',
]); // prettier-ignore
/** Prefixes of whole families of the above. */
const FAMILIES = ['proxy-', 'sec-', 'x-b3-', 'x-forwarded-'];
/** Fine as fixed text, yet with a meaning of their own: as an idempotency or API key they would be misread or overwritten. */
const WITH_MEANING = new Set([
  'accept', 'accept-language', 'user-agent', 'from', 'cache-control', 'pragma', 'prefer', 'warning', 'digest', 'etag',
  'location', 'retry-after', 'server', 'vary', 'age', 'allow', 'expires', 'last-modified', 'link', 'priority',
]); // prettier-ignore
const WITH_MEANING_FAMILIES = ['content-', 'if-', 'accept-', 'access-control-'];

/** `key`: Idempotency.Header; `api-key`: Authentication.Header; the others: Headers of a request, of the inquiry. */
export type HeaderUse = 'key' | 'api-key' | 'request' | 'inquiry';

/** Why a header of this name may not be set for this use; undefined where it may. */
export function headerNameProblem(name: string, use: HeaderUse): string | undefined {
  const low = name.toLowerCase();
  const starts = (prefix: string): boolean => low.startsWith(prefix);
  if (FRAMING.has(low)) return `another header was expected: ${name} belongs to the connection and the framing`;
  if (FOREIGN_CREDENTIAL.has(low)) return `another header was expected: ${name} carries credentials`;
  if (OWNED.has(low) || FAMILIES.some(starts))
    return `another header was expected: ${name} is set by datapump or by the HTTP client itself`;
  if (use !== 'api-key' && CREDENTIAL.has(low))
    return `another header was expected: ${name} carries credentials, which belong to Authentication`;
  if (use === 'request' && low === 'content-type')
    return `another header was expected: ${name} is set by the Format of the request`;
  if ((use === 'key' || use === 'api-key') && (WITH_MEANING.has(low) || WITH_MEANING_FAMILIES.some(starts)))
    return `another header was expected: ${name} has a meaning of its own in HTTP`;
  return undefined;
}

/** The names that stand in `names` more than once, whatever their case. */
export function repeatedNames(names: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return names.filter((name) => {
    const low = name.toLowerCase();
    return seen.has(low) || !seen.add(low);
  });
}
