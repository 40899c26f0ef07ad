import fc from 'fast-check';
import { JSON_DEPTH_MAX, parseBody } from '../../src/adapters/biller-http/body-formats';
import {
  readXml,
  writeXml,
  XML_ATTRIBUTES_MAX,
  XML_ELEMENTS_MAX,
  XML_NAME_LENGTH_MAX,
} from '../../src/adapters/biller-http/xml';
import { expectLinearTime } from '../support/linear-time';

/** A quiet machine needs a tenth of it; what is quadratic needs minutes. */
const READ_WITHIN_MS = 1_000;

const expectLinear = (text: string, read: (text: string) => unknown): Promise<void> =>
  expectLinearTime((share) => {
    try {
      read(text.slice(0, text.length * share));
    } catch (error) {
      expect(error).toBeInstanceOf(SyntaxError);
    }
  }, READ_WITHIN_MS);

describe('what a biller answers is read in linear time and to a limit (issue 8, no 7)', () => {
  const many = (text: string, times: number): string => text.repeat(times);
  const unit = 60_000;
  it.each<[string, string]>([
    ['empty elements', `<r>${many('<a/>', unit)}</r>`],
    ['empty elements of many names', `<r>${Array.from({ length: 30_000 }, (_, n) => `<n${n}/>`).join('')}</r>`],
    ['elements of one name up to the limit', `<r>${many('<a>x</a>', XML_ELEMENTS_MAX - 1)}</r>`],
    ['one attribute of 200 KB', `<r a="${many('x', 200_000)}"/>`],
    ['one attribute of 200 KB without an end', `<r a="${many('x', 200_000)}`],
    ['spaces in a start tag', `<r ${many(' ', 250_000)}`],
    ['attributes', `<r ${Array.from({ length: 30_000 }, (_, n) => `a${n}="1"`).join(' ')}/>`],
    ['one attribute again and again', `<r ${many('a="1" ', unit)}/>`],
    ['a name of 200 KB', `<${many('x', 200_000)}/>`],
    ['start tags', many('<a>', unit)],
    ['end tags', `<r>${many('</a>', unit)}`],
    ['elements that repeat their attribute', `<r>${many('<a b="1" b="1"/>', 15_000)}</r>`],
    ['references', `<r>${many('&amp;', 50_000)}</r>`],
    ['character references', `<r>${many('&#65;', 50_000)}</r>`],
    ['a reference without an end', `<r>&${many('a', 200_000)}`],
    ['ampersands', `<r>${many('&', 250_000)}</r>`],
    ['CDATA sections', `<r>${many('<![CDATA[x]]>', 19_000)}</r>`],
    ['brackets in CDATA', `<r><![CDATA[${many(']', 250_000)}`],
    ['comments', `<r>${many('<!--x-->', 30_000)}</r>`],
    ['a comment without an end', `<r><!--${many('-', 250_000)}`],
    ['processing instructions', `<r>${many('<?x y?>', 35_000)}</r>`],
    ['question marks', `<?x ${many('?', 250_000)}`],
    ['less-thans', many('<', 250_000)],
    ['quotes', `<r a=${many('"', 250_000)}`],
    ['a document type', `<!DOCTYPE r [${many('<!ENTITY a "a">', 15_000)}]><r/>`],
    ['a declaration without an end', `<!${many('x', 250_000)}`],
  ])('%s', (_name, text) => expectLinear(text, readXml));

  it.each<[string, string]>([
    ['elements', `<r>${many('<a/>', XML_ELEMENTS_MAX)}</r>`],
    ['attributes', `<r ${Array.from({ length: XML_ATTRIBUTES_MAX + 1 }, (_, n) => `a${n}="1"`).join(' ')}/>`],
    ['a name', `<${many('x', XML_NAME_LENGTH_MAX + 1)}/>`],
    ['an attribute’s name', `<r ${many('x', XML_NAME_LENGTH_MAX + 1)}="1"/>`],
    ['depth', `${many('<a>', 33)}${many('</a>', 33)}`],
  ])('refuses %s over the limit', (_name, text) => {
    expect(() => readXml(text)).toThrow(SyntaxError);
  });

  it('takes elements, attributes, names and depth up to the limit', () => {
    const attributes = Array.from({ length: XML_ATTRIBUTES_MAX }, (_, n) => `a${n}="1"`).join(' ');
    const name = many('x', XML_NAME_LENGTH_MAX);
    expect(Object.keys(readXml(`<${name} ${attributes}/>`) as object)).toHaveLength(XML_ATTRIBUTES_MAX);
    expect(readXml(`<r>${many('<a/>', XML_ELEMENTS_MAX - 1)}</r>`)).toHaveProperty('a.length', XML_ELEMENTS_MAX - 1);
    expect(readXml(`${many('<a>', 32)}x${many('</a>', 32)}`)).toHaveProperty(
      Array.from({ length: 31 }, () => 'a'),
      'x',
    );
  });

  it.each([
    ['arrays', '['],
    ['objects', '{"a":'],
    ['arrays with text between', '["[", ['],
  ])('JSON of %s 100,000 deep is malformed, not a crash', async (_name, open) => {
    const closing = [...open].filter((c) => c === '[' || c === '{').map((c) => (c === '[' ? ']' : '}'));
    const text = `${many(open, 100_000)}1${many(closing.reverse().join(''), 100_000)}`.slice(0, 256 * 1024);
    const parsed: unknown[] = [];
    await expectLinear(text, (part) => parsed.push(parseBody(Buffer.from(part), {}, 'json')));
    expect(parsed[0]).toEqual({ wellFormed: false });
  });

  it('JSON up to the limit of depth is read, and brackets inside text are none', () => {
    const deep = `${many('[', JSON_DEPTH_MAX)}${many(']', JSON_DEPTH_MAX)}`;
    expect(parseBody(Buffer.from(deep), {}, 'json').wellFormed).toBe(true);
    expect(parseBody(Buffer.from(`[${deep}]`), {}, 'json').wellFormed).toBe(false);
    const text = `{"a":"${many('[{\\"', 1_000)}"}`;
    expect(parseBody(Buffer.from(text), {}, 'json')).toEqual({ wellFormed: true, body: JSON.parse(text) as unknown });
  });
});

describe('JSON that says a member twice is malformed, since it may say one thing and then another (issue 8, no 7)', () => {
  const read = (text: string) => parseBody(Buffer.from(text), { 'content-type': 'application/json' }, 'json');
  const name = fc.constantFrom('status', 'stat\\u0075s', 'code', 'a"b', '__proto__', '');
  const written = fc.letrec<{ value: string; object: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('1', 'null', '"accepted"', '"{\\"a\\":1,\\"a\\":2}"'),
      tie('object'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
    ),
    object: fc
      .array(fc.tuple(name, tie('value')), { maxLength: 4 })
      .map(
        (members) =>
          `{${members.map(([key, value]) => `${key.startsWith('stat\\') ? `"${key}"` : JSON.stringify(key)}: ${value}`).join(',')}}`,
      ),
  }));

  it('wherever it stands and however the name is written', () => {
    const membersIn = (value: unknown): number =>
      typeof value !== 'object' || value === null
        ? 0
        : Object.values(value).reduce(
            (sum: number, each) => sum + membersIn(each),
            Array.isArray(value) ? 0 : Object.keys(value).length,
          );
    // As many names before a colon outside of texts as there are members after reading: none was said twice.
    const namesSaid = (text: string): number => text.replace(/"(?:[^"\\]|\\.)*"/g, 'x').split('x:').length - 1;
    fc.assert(
      fc.property(written.object, (text) => {
        expect([text, read(text).wellFormed]).toEqual([text, namesSaid(text) === membersIn(JSON.parse(text))]);
      }),
    );
    expect(read('{"status":"declined","status":"accepted"}')).toEqual({ wellFormed: false });
  });

  it('is found in time linear in the answer', () => {
    const members = (count: number): string =>
      `{${Array.from({ length: count }, (_, index) => `"m${index}":"\\\\\\"x"`).join(',')}}`;
    return expectLinearTime((share) => expect(read(members(20_000 * share)).wellFormed).toBe(true), READ_WITHIN_MS);
  });
});

describe('XML that is not well-formed is refused, whatever the parser below forgives', () => {
  it.each([
    '<r a="1" a="1"/>',
    '<r a="1" a=\'2\'/>',
    '<r __proto__="1" __proto__="2"/>',
    '<r a=1/>',
    '<r a/>',
    '<r a="1"b="2"/>',
    '<r a="<"/>',
    '<r>&AMP;</r>',
    '<r>&nbsp;</r>',
    '<r>&constructor;</r>',
    '<r>&toString;</r>',
    '<r>&__proto__;</r>',
    '<r a="&eacute;"/>',
    '<r>&;</r>',
    '<r>&</r>',
    '<r>& </r>',
    '<r>&#0;</r>',
    '<r>&#1;</r>',
    '<r>&#xD800;</r>',
    '<r>&#xFFFF;</r>',
    '<r>&#x110000;</r>',
    '<r>&#;</r>',
    '<r>&#x;</r>',
    '<r>&#12a;</r>',
    '<r>\u0001</r>',
    '<r a="\u0000"/>',
    '< r/>',
    '<r>< a/></r>',
    '<r></ r>',
    '<r><></></r>',
    '<r/ >',
    '<r><!-- a -- b --></r>',
    '<r><!ELEMENT x></r>',
    '<!doctype r><r/>',
    '<r/><!DOCTYPE r>',
    '<![CDATA[x]]><r/>',
    '<r/><![CDATA[]]>',
    '<r/>x',
    '<r/>&amp;',
    '<r/></r>',
    '<r></r></r>',
    '<r><a></b></r>',
    '<r><a></R></a>',
    '<r',
    '<r>',
    '<r><!--',
    '<r><![CDATA[',
    '<?x',
    ' ',
    '\ufeff',
    '<:/>',
    '<a:/>',
    '<1/>',
  ])('%j', (text) => {
    expect(() => readXml(text)).toThrow(SyntaxError);
  });

  it('a refusal does not quote the answer', () => {
    expect(() => readXml('<r>4111111111111111')).toThrow(/^(?!.*4111)/);
  });
});

describe('XML that is well-formed', () => {
  it.each<[string, unknown]>([
    [
      '<r hasOwnProperty="1" toString="2" __proto__="3" constructor="4"/>',
      ['@hasOwnProperty', '@toString', '@__proto__', '@constructor'],
    ],
    ['<r><hasOwnProperty/><__proto__/><length/></r>', ['hasOwnProperty', '__proto__', 'length']],
  ])('takes the names that objects have of their own: %s', (text, names) => {
    expect(Object.keys(readXml(text) as object)).toEqual(names);
  });

  it.each<[string, unknown]>([
    ['<r a="&lt;&#60;&gt;&quot;&apos;&#x41;"/>', { '@a': `<<>"'A` }],
    ['<s:r xmlns:s="urn:s" s:a="1" b:a="2"/>', { '@a': ['1', '2'] }],
    ['\ufeff<?xml version="1.0"?>\n<!-- < & > -->\n<r>x</r>\n<!-- y --><?z?>\n', 'x'],
    ['<r>a<![CDATA[<b>&amp;]]]]>c<!-- d -->e<?f g?>h</r>', 'a<b>&amp;]]ceh'],
    ['<r ><a\n/><a >1</a ></r >', { a: ['', '1'] }],
    ['<r>text<a/>more</r>', { a: '' }],
    ['<r>&#128512;é日本</r>', '😀é日本'],
    ['<größe/>', ''],
  ])('reads %j', (text, expected) => {
    expect(readXml(text)).toEqual(expected);
  });

  const name = fc.stringMatching(/^[A-Za-z_][\w.-]{0,8}$/);
  const character = fc
    .string({ unit: 'binary', minLength: 0, maxLength: 12 })
    .map((text) => text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\ud800-\udfff]/g, '<'));
  const element = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      character,
      fc.array(
        tie('value').filter((one) => !Array.isArray(one)),
        { minLength: 2, maxLength: 4 },
      ),
      fc
        .tuple(
          fc.dictionary(
            name.map((one) => `@${one}`).filter((one) => !one.startsWith('@xmlns')),
            character,
            { maxKeys: 3 },
          ),
          fc.dictionary(name, tie('value'), { minKeys: 1, maxKeys: 4 }),
        )
        .map(([attributes, children]) => ({ ...attributes, ...children })),
    ),
  })).value;

  it('is read as it was written', () => {
    fc.assert(
      fc.property(
        name,
        element.filter((value) => !Array.isArray(value)),
        (root, value) => {
          expect(readXml(writeXml(root, value))).toEqual(value);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
