import { parseBody, writeBody } from '../../src/adapters/biller-http/body-formats';
import { readXml, writeXml } from '../../src/adapters/biller-http/xml';
import { urlProblem } from '../../src/adapters/shared/biller-document/allowed-hosts';
import { parsePathTemplate, renderPath } from '../../src/adapters/shared/biller-document/path-template';

describe('XML bodies', () => {
  it('reads back what it wrote, with every character that has a meaning', () => {
    const value = { account: `A&<>"'1`, '@kind': 'a"b', lines: { line: ['1', '2'] }, empty: '' };
    expect(readXml(writeXml('Payment', value))).toEqual(value);
  });

  it('reads prefixes, CDATA, comments, declarations and character references', () => {
    expect(
      readXml(
        '<?xml version="1.0"?><!-- x --><a:r xmlns:a="urn:x"><a:s><![CDATA[<&>]]></a:s><t>&#65;&#x42;&amp;</t><u/></a:r>',
      ),
    ).toEqual({ s: '<&>', t: 'AB&', u: '' });
  });

  it.each([
    ['a document type', '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'],
    ['an unknown entity', '<r>&x;</r>'],
    ['a wrong end', '<r><a></r></a>'],
    ['an early end', '<r><a>'],
    ['two roots', '<r/><r/>'],
    ['one attribute twice', '<r a="1" a="2"/>'],
    ['text outside', 'x<r/>'],
    ['nothing', ''],
    ['endless depth', '<a>'.repeat(100)],
  ])('refuses %s', (_name, text) => {
    expect(() => readXml(text)).toThrow(SyntaxError);
  });

  it('refuses to write a control character or an element name that is none', () => {
    expect(() => writeXml('r', { a: '\u0001' })).toThrow(TypeError);
    expect(() => writeXml('r', { 'a b': 1 })).toThrow(TypeError);
  });

  it('keeps __proto__ a plain member', () => {
    expect(Object.keys(readXml('<r><__proto__>x</__proto__></r>') as object)).toEqual(['__proto__']);
  });
});

describe('form and JSON bodies', () => {
  it('encodes a form and leaves out what is not there', () => {
    expect(writeBody('form', undefined, { account: 'A&1=2', amount: 12, email: undefined })).toBe(
      'account=A%261%3D2&amount=12',
    );
  });
  it('refuses nested form members and bodies that are no object', () => {
    expect(() => writeBody('form', undefined, { a: { b: 1 } })).toThrow(TypeError);
    expect(() => writeBody('json', undefined, undefined)).toThrow(TypeError);
    expect(() => writeBody('json', undefined, [1])).toThrow(TypeError);
  });
  it('takes a compressed answer as malformed and an empty one as well-formed', () => {
    expect(parseBody(Buffer.from('x'), { 'content-encoding': 'gzip' }, 'json')).toEqual({ wellFormed: false });
    expect(parseBody(Buffer.alloc(0), {}, 'json')).toEqual({ wellFormed: true, body: undefined });
    expect(parseBody(Buffer.from('<r>1</r>'), { 'content-type': 'text/xml' }, 'json')).toEqual({
      wellFormed: true,
      body: '1',
    });
  });
});

describe('paths', () => {
  it('encodes every value', () => {
    expect(
      renderPath(parsePathTemplate('/a/{record.key}?b={record.dpId}'), { record: { key: '1:2/../x', dpId: 'y&z=1' } }),
    ).toBe('/a/1%3A2%2F..%2Fx?b=y%26z%3D1');
  });
  it.each(['..', '.', '', undefined])('refuses the value %s', (value) => {
    expect(() => renderPath(parsePathTemplate('/{a.b}'), { a: { b: value } })).toThrow(/\{a\.b\}/);
  });
  it('does not reach inherited members', () => {
    expect(() => renderPath(parsePathTemplate('/{constructor.name}'), {})).toThrow();
  });
});

describe('allowed hosts', () => {
  const hosts = { allowedHosts: ['api.biller.test', '*.example'], allowPlainLoopback: false };
  it.each(['https://api.biller.test/v1', 'https://a.b.example/', 'https://API.biller.test'])('allows %s', (url) =>
    expect(urlProblem(url, hosts)).toBeUndefined(),
  );
  it.each([
    'http://api.biller.test',
    'https://example/',
    'https://evilexample/',
    'https://api.biller.test.evil.org',
    'https://user:pw@api.biller.test',
    'http://127.0.0.1:1',
    'https://127.0.0.1',
    'https://169.254.169.254/',
    'https://api.biller.test:8443',
    'https://api.biller.test.',
    'https://a.b.example.:443',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://[::ffff:127.0.0.1]/',
    'file:///etc/passwd',
    'x',
  ])('refuses %s', (url) => expect(urlProblem(url, hosts)).toEqual(expect.any(String)));
  it('a pattern with a port allows that port and no other (issue 8, no 17)', () => {
    const ported = { ...hosts, allowedHosts: ['api.biller.test:8443', '*.example:9443'] };
    expect(urlProblem('https://api.biller.test:8443/v1', ported)).toBeUndefined();
    expect(urlProblem('https://a.example:9443/v1', ported)).toBeUndefined();
    expect(urlProblem('https://api.biller.test/v1', ported)).toContain('port 8443 was expected');
    expect(urlProblem('https://a.example:8443', ported)).toContain('port 9443 was expected');
  });
  it.each(['http://127.0.0.1:8080/b', 'http://localhost', 'https://[::1]:1', 'http://127.1'])(
    'names the setting that allows %s (issue 8, no 22)',
    (url) => expect(urlProblem(url, hosts)).toContain('Billers:AllowPlainLoopback'),
  );
  it('allows plain loopback only where the setting says so', () => {
    expect(urlProblem('http://127.0.0.1:1', { ...hosts, allowPlainLoopback: true })).toBeUndefined();
    expect(urlProblem('http://10.0.0.1:1', { ...hosts, allowPlainLoopback: true })).toEqual(expect.any(String));
  });
});

describe('what a format would drop or turn into nothing (issue 8, no 2)', () => {
  it.each(['json', 'form', 'xml'] as const)('%s: no members, functions, numbers that are none', (format) => {
    for (const value of [
      {},
      { a: () => 1 },
      { a: NaN },
      { a: Infinity },
      { a: { b: [Number.NaN] } },
      { a: { _jsonata_lambda: true } },
    ])
      expect(() => writeBody(format, 'R', value)).toThrow(TypeError);
  });
  it('null is a word of JSON alone', () => {
    expect(writeBody('json', undefined, { a: null })).toBe('{"a":null}');
    for (const format of ['form', 'xml'] as const) expect(() => writeBody(format, 'R', { a: null })).toThrow('is null');
  });
});
