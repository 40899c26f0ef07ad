import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { problemText, validateProfileDocument } from '../../src/adapters/biller-profiles/validate-profile-document';
import { headerNameProblem } from '../../src/adapters/shared/biller-document/header-names';
import { UndiciTransport } from '../../src/adapters/biller-http/undici-transport';
import { classifyFailure } from '../../src/adapters/biller-http/answer-classifier';
import { LOOPBACK_RULES, template } from '../support/biller-fixtures';
import { json, startScriptedBiller } from '../support/scripted-biller';

const problemsOf = (name: string, overrides: Record<string, unknown>): string[] => {
  const document = instantiateTemplate(template(name), { billerId: '12', baseUrl: 'https://api.example', overrides });
  const verdict = validateProfileDocument(document, '12.json', LOOPBACK_RULES);
  return 'problems' in verdict ? verdict.problems.map(problemText) : [];
};
const spellings = (name: string): string[] => [name, name.toLowerCase(), name.toUpperCase()];
const withHeaders = (headers: Record<string, string>) => {
  const { Requests, StatusInquiry } = template('json-api-key-inquiry') as {
    Requests: Record<string, object>;
    StatusInquiry: object;
  };
  return {
    request: { Requests: { ...Requests, Payment: { ...Requests['Payment'], Headers: headers } } },
    inquiry: { StatusInquiry: { ...StatusInquiry, Headers: headers } },
  };
};

/** Of the connection, the framing, the client, tracing; credentials of browsers and proxies. */
const NEVER = [
  'Connection', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Authorization', 'Proxy-Authenticate', 'Proxy-Anything', 'TE', 'Trailer',
  'Transfer-Encoding', 'Upgrade', 'HTTP2-Settings', 'Content-Length', 'Content-Encoding', 'Expect', 'Host', 'Via', 'Date', 'Cookie',
  'Cookie2', 'Set-Cookie', 'Accept-Encoding', 'Accept-Charset', 'traceparent', 'tracestate', 'baggage', 'Sec-Fetch-Mode', 'Origin',
  'Referer', 'X-HTTP-Method-Override', 'X-Forwarded-For', 'Range', 'Max-Forwards',
]; // prettier-ignore

describe('header names of a profile (issue 8, no 1)', () => {
  it.each(NEVER.flatMap(spellings))('%s is no header of a key, an API key, a request or an inquiry', (name) => {
    const { request, inquiry } = withHeaders({ [name]: 'x' });
    expect(problemsOf('json-basic-keys-and-inquiry', { Idempotency: { Header: name, Retention: '24h' } })).toEqual([
      expect.stringContaining('12.json /Idempotency/Header: another header was expected'),
    ]);
    expect(
      problemsOf('json-api-key-inquiry', { Authentication: { Kind: 'ApiKey', Header: name, KeySecret: 'k' } }),
    ).toEqual([expect.stringContaining('12.json /Authentication/Header: another header')]);
    expect(problemsOf('json-api-key-inquiry', request)).toEqual([
      expect.stringContaining(`12.json /Requests/Payment/Headers/${name}: another header`),
    ]);
    expect(problemsOf('json-api-key-inquiry', inquiry)).toEqual([
      expect.stringContaining(`12.json /StatusInquiry/Headers/${name}: another header`),
    ]);
  });

  it.each(['Authorization', 'X-Api-Key', 'X-Auth-Token', 'Ocp-Apim-Subscription-Key'].flatMap(spellings))(
    '%s belongs to Authentication alone',
    (name) => {
      expect(headerNameProblem(name, 'api-key')).toBeUndefined();
      for (const use of ['key', 'request', 'inquiry'] as const)
        expect(headerNameProblem(name, use)).toContain('credentials');
    },
  );

  it.each(['Content-Type', 'Accept', 'User-Agent', 'If-None-Match', 'Content-MD5'].flatMap(spellings))(
    '%s is no header of a key',
    (name) => expect(headerNameProblem(name, 'key')).toBeDefined(),
  );

  it('Content-Type is the format’s, an inquiry may ask for one', () => {
    const { request, inquiry } = withHeaders({ 'content-type': 'application/json' });
    expect(problemsOf('json-api-key-inquiry', request)).toHaveLength(1);
    expect(problemsOf('json-api-key-inquiry', inquiry)).toEqual([]);
  });

  it('the header of the API key is neither that of the key nor a fixed one, in any case', () => {
    const auth = { Authentication: { Kind: 'ApiKey', Header: 'X-Partner', KeySecret: 'k' } };
    const { request, inquiry } = withHeaders({ 'x-PARTNER': '1' });
    for (const header of spellings('X-Partner'))
      expect(
        problemsOf('json-api-key-inquiry', { ...auth, Idempotency: { Header: header, Retention: '24h' } }),
      ).toEqual([expect.stringContaining('is the header of the API key')]);
    for (const one of [request, inquiry])
      expect(problemsOf('json-api-key-inquiry', { ...auth, ...one })).toEqual([
        expect.stringContaining('is the header of the API key'),
      ]);
  });

  it('no header is set twice, in any case', () => {
    const { request } = withHeaders({ 'X-One': '1', 'x-one': '2' });
    expect(problemsOf('json-api-key-inquiry', request)).toEqual([expect.stringContaining('x-one is set twice')]);
    const { request: key } = withHeaders({ 'IDEMPOTENCY-key': '1' });
    expect(
      problemsOf('json-api-key-inquiry', { ...key, Idempotency: { Header: 'Idempotency-Key', Retention: '24h' } }),
    ).toEqual([expect.stringContaining('is the header of the idempotency key')]);
  });

  it.each(['Idempotency-Key', 'X-Request-Id', 'X-Idempotency-Token', 'Request-Key'])('%s may carry the key', (name) =>
    expect(problemsOf('json-basic-keys-and-inquiry', { Idempotency: { Header: name, Retention: '24h' } })).toEqual([]),
  );
});

describe('the request right before it is sent (issue 8, no 1)', () => {
  const carries = { header: 'Idempotency-Key', value: 'key-1' };
  const deadline = { remainingMs: () => 2_000 };

  it.each([
    ['without the key', { 'X-Other': '1' }],
    ['with another value', { 'Idempotency-Key': 'key-2' }],
    ['with an empty one', { 'Idempotency-Key': '' }],
    ['with the key twice', { 'Idempotency-Key': 'key-1', 'idempotency-key': 'key-1' }],
  ])('%s nothing leaves, and the attempt spends a try', async (_, headers) => {
    const biller = await startScriptedBiller();
    biller.react = json(200, {});
    const transport = new UndiciTransport({ allowedHosts: [], allowPlainLoopback: true });
    const sent = transport.exchange(
      { method: 'POST', url: `${biller.baseUrl}/x`, headers: headers, body: '{}', carries },
      deadline,
    ); // prettier-ignore
    const failure = await sent.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'key-not-carried', left: false });
    expect(classifyFailure(failure as never, 5)).toEqual({ kind: 'not-sent', lateByMs: 0, code: 'key-not-carried' });
    expect(biller.received).toEqual([]);
    await transport.close();
    await biller.close();
  });
});
