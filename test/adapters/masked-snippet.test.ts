import fc from 'fast-check';
import { maskedSnippet, SNIPPET_LENGTH_MAX } from '../../src/adapters/shared/masked-snippet';
import { expectLinearTime } from '../support/linear-time';

describe('a kept piece of an answer holds no card, account, person or secret (issue 8, no 15)', () => {
  it.each([
    ['4111111111111111', '4111'],
    ['4111 1111 1111 1111', '1111'],
    ['4111-1111-1111-1111', '1111'],
    ['4111\u200b1111\u200b1111\u200b1111', '1111'],
    ['4111.1111.1111.1111', '1111'],
    ['٤١١١١١١١١١١١١١١١', '٤١١١'],
    ['account 12345678 closed', '12345678'],
    ['CZ65 0800 0000 1920 0014 5399', '1920'],
    ['GB33BUKB20201555555555', 'BUKB'],
    ['write to ada.lovelace@mail.example', 'lovelace'],
    ['{"access_token": "abc"}', 'abc'],
    ['{"clientSecret":"abc def"}', 'abc'],
    ['password=hunter2&x=1', 'hunter2'],
    ['<ApiKey kind="x">abc</ApiKey>', 'abc'],
    ['<cvv>123</cvv>', '123'],
    ['cvc: 123', '123'],
    ['Authorization: Bearer abc.def', 'abc'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'eyJ'],
  ])('%j', (text, secret) => {
    expect(maskedSnippet(text, [])).not.toContain(secret);
  });

  it.each<[string, string]>([
    ['Ada <Lovelace>', '{"for":"Ada <Lovelace>"}'],
    ['Ada <Lovelace>', '<for>Ada &lt;Lovelace&gt;</for>'],
    ['Ab&"\'>', '<for>Ab&amp;&quot;&apos;&gt;</for>'],
    ['Ab&"\'>', '<for>Ab&#38;&#34;&#39;&#62;</for>'],
    ['Ada <Lovelace>', 'for=Ada%20%3CLovelace%3E'],
    ['Ada <Lovelace>', 'LOVELACE, ADA'],
    ['Žofie "Zoe" Nová', '{"name":"Žofie \\"Zoe\\" Nová"}'],
    ['A.B-12/3', 'account A.B-12/3 is closed'],
  ])('the known value %j in %j', (known, text) => {
    const masked = maskedSnippet(text, [known]);
    expect(masked).toContain('[known]');
    for (const word of known.split(/[^\p{L}\p{N}]+/u).filter(({ length }) => length > 2))
      expect(masked.toLowerCase()).not.toContain(word.toLowerCase());
  });

  it('keeps what an integrator needs', () => {
    const text = '{"state":"QUEUED","errorCode":"E-1042","at":"2026-11-21","amount":"123.45","retry":true}';
    expect(maskedSnippet(text, ['Ada Lovelace', 'A&1'])).toBe(text);
    expect(maskedSnippet('<s:Fault><code>7</code>\n</s:Fault>', [])).toBe('<s:Fault><code>7</code> </s:Fault>');
  });

  it('makes control, bidirectional and zero-width characters visible', () => {
    expect(maskedSnippet('a\u001b[2Jb\u202ec\u200bd\u0000', [])).toBe('a\\u{001b}[2Jb\\u{202e}c\\u{200b}d\\u{0000}');
  });

  it('is short, whatever it is given, and in a short time', async () => {
    for (const text of [
      'x'.repeat(300_000),
      '1 '.repeat(100_000),
      'a@'.repeat(100_000),
      '<token'.repeat(50_000),
      'AB12'.repeat(60_000),
      'pin='.repeat(60_000),
    ]) {
      await expectLinearTime((share) => {
        const known = ['Ada Lovelace'.repeat(10_000 * share)];
        const masked = maskedSnippet(text.slice(0, text.length * share), known);
        expect(masked.length).toBeLessThanOrEqual(SNIPPET_LENGTH_MAX + 1);
      }, 200);
    }
  });

  it('no known value and no card shows through, wherever it stands', () => {
    const known = ['Ada Lovelace', 'A&1-77', 'secret-of-12'];
    const card = '4111111111111111';
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...known, card, '"', ' ', '\\', '&'), fc.string({ maxLength: 5_000 }))),
        (parts) => {
          const masked = maskedSnippet(parts.join(''), known);
          for (const value of [...known, card]) expect(masked).not.toContain(value);
          expect(masked).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
        },
      ),
    );
  });
});
