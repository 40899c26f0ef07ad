import { hostPatterns } from '../../src/bootstrap/configuration/allowed-hosts-setting';

describe('Billers:AllowedHosts (issue 8, no 17)', () => {
  it.each([
    '127.0.0.1', '10.0.0.1', '10.0.0.1:443', '[::1]', '::1', '2130706433', '0x7f000001', '0x7f.1', '017700000001', '1.2.3', 'a.b.1',
    '*', '*.', '*.com', '*.COM', '*.org', '*.internal', '*.com:443', '*.co.uk', '*.azurewebsites.net', '*.10.0.0.1', '*.*.example.com', 'a.*.com',
    'example.com.', '*.example.com.', '.example.com', 'a..b', '-a.com', 'a-.com', 'a_b.com', 'a b.com', '', ' api.example.com',
    'localhost', 'a.localhost', '*.localhost', 'api.example.com:0', 'api.example.com:65536', 'api.example.com:', 'api.example.com:https',
    'https://api.example.com', 'api.example.com/v1', 'user@api.example.com', 'bücher.example', 'api.example.com\u200b', 'metadata.google.internal',
    `${'a'.repeat(64)}.com`,
  ])('%p is refused', (pattern) => {
    expect(hostPatterns.read([pattern])).toBeUndefined();
    expect(hostPatterns.read(['api.example.com', pattern])).toBeUndefined();
  }); // prettier-ignore

  it.each([
    'api.example.com', 'API.Example.com', 'api.example.com:8443', '*.example.com', '*.biller.co.uk', '*.api.example.com:8443', '*.example',
    'biller-service', 'biller.azurewebsites.net', 'xn--bcher-kva.example', '3com.com',
  ])('%p is a pattern', (pattern) => expect(hostPatterns.read([pattern])).toEqual([pattern])); // prettier-ignore

  it('is read from the environment too', () =>
    expect(hostPatterns.read('api.example.com, *.example.org:8443')).toEqual([
      'api.example.com',
      '*.example.org:8443',
    ]));
});
