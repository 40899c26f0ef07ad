/** Of a body so much is looked at, and so much of what is left is kept. */
const LOOKED_AT_MAX = 4_096;
export const SNIPPET_LENGTH_MAX = 512;
/** A value cut off by the end of what is looked at could not be known: so much of the end is dropped. */
const TAIL_DROPPED = 256;
/** Shorter values mask half of every text and hide nobody. */
const KNOWN_LENGTH_MIN = 3;

const SECRET_WORDS =
  'password|passwd|secret|token|api[-_]?key|authorization|credential|signature|session|cvv2?|cvc2?|pin|pan|iban';
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\beyJ[\w-]+(?:\.[\w-]+){1,4}/g, '[credential]'],
  [/\b(?:bearer|basic|digest)\s+[\w.~+/=-]+/gi, '[credential]'],
  [
    new RegExp(`([\\w.-]{0,40}(?:${SECRET_WORDS})[\\w.-]{0,40}["']?\\s{0,4}[:=]\\s{0,4}["']?)[^"'\\s,;&<>}]+`, 'gi'),
    '$1[masked]',
  ],
  [new RegExp(`(<[\\w.:-]{0,40}(?:${SECRET_WORDS})[\\w.-]{0,40}(?:\\s[^<>]{0,200})?>)[^<]+`, 'gi'), '$1[masked]'],
  [/[^\s"'<>:=;,]{1,100}@[^\s"'<>;,]{1,100}/g, '[address]'],
  [/\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}\b/gi, '[account]'],
  // Twelve digits and more, however they are grouped; or seven in a row.
  [/\p{Nd}(?:[\s\p{Pd}\p{Cf}._/]{0,2}\p{Nd}){11,}/gu, '[digits]'],
  [/\p{Nd}{7,}/gu, '[digits]'],
  [/[\w+/=~-]{32,}/g, '[long word]'],
];

/**
 * The beginning of a text from outside, without what could be a card, an account, a person or a secret, and with its
 * control, bidirectional and zero-width characters made visible. `known`: values that must not be in it, such as the
 * customer's name and the credential that was sent.
 */
export function maskedSnippet(text: string, known: readonly string[]): string {
  const cut = text.length > LOOKED_AT_MAX;
  let masked = text.slice(0, LOOKED_AT_MAX);
  for (const pattern of patternsOf(known)) masked = masked.replace(pattern, '[known]');
  for (const [pattern, words] of MASKS) masked = masked.replace(pattern, words);
  if (cut) masked = masked.slice(0, -TAIL_DROPPED);
  const visible = masked.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, visibly);
  const short = visible.length > SNIPPET_LENGTH_MAX;
  return cut || short ? `${visible.slice(0, SNIPPET_LENGTH_MAX)}…` : visible;
}

const visibly = (character: string): string =>
  character === '\n' || character === '\r' || character === '\t'
    ? ' '
    : `\\u{${character.codePointAt(0)!.toString(16).padStart(4, '0')}}`;

const escaped = (value: string): string => value.replace(/[\\^$.*+?()[\]{}|/]/g, (sign) => `\\${sign}`);

/** Of a value so much is looked for, and so many of its words. */
const VALUE_LENGTH_MAX = 200;
const WORDS_MAX = 10;

/** The whole values wherever they stand, as texts, JSON, XML and URLs write them; their words where they stand alone. */
function patternsOf(known: readonly string[]): readonly RegExp[] {
  const values = known.map((value) =>
    value
      .replace(/\p{Cs}/gu, '')
      .trim()
      .slice(0, VALUE_LENGTH_MAX),
  );
  const spelled = values.flatMap((value) => [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value.replace(/\p{Cs}/gu, '')),
    value.replace(/[&<>"']/g, (sign) => XML_NAMES[sign]!),
    value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`),
  ]);
  const words = values.flatMap((value) => value.split(/[^\p{L}\p{N}]+/u).slice(0, WORDS_MAX));
  const longestFirst = (texts: readonly string[]): readonly string[] =>
    [...new Set(texts)].filter(({ length }) => length >= KNOWN_LENGTH_MIN).sort((a, b) => b.length - a.length);
  return [
    ...longestFirst(spelled).map((text) => new RegExp(escaped(text), 'giu')),
    ...longestFirst(words).map((word) => new RegExp(`(?<![\\p{L}\\p{N}])${escaped(word)}(?![\\p{L}\\p{N}])`, 'giu')),
  ];
}

const XML_NAMES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
