/**
 * Characters that move the cursor, turn the reading direction or show as nothing: controls, formats (zero width,
 * bidirectional, tags), separators of lines and paragraphs, unpaired surrogates, private use, unassigned, variation
 * selectors and fillers, and every blank but the ordinary one. In a text from outside they lie about what it says.
 */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\u2800]|(?! )\p{Zs}/u;
const EACH_INVISIBLE = new RegExp(INVISIBLE, 'gu');
/** More marks on one letter than any script needs reach into the lines above and below. */
const MARKS_MAX = 4;
const MARKS = new RegExp(`(?<=^|\\p{M}{${MARKS_MAX}})\\p{M}`, 'gu');
/** Most texts are these, and need no closer look. */
const PLAIN = /^[ -~]*$/;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const escaped = (character: string): string => NAMED[character] ?? `\\u{${character.codePointAt(0)!.toString(16)}}`;

/** The same text with nothing hidden in it, on one line: `\n`, `\u{202e}`. Doing it twice is doing it once. */
export const visible = (text: string): string =>
  PLAIN.test(text) ? text : text.replace(EACH_INVISIBLE, escaped).replace(MARKS, escaped);

/** For JSON: what its own escapes leave out. The text stays the same JSON. */
export const visibleJson = (json: string): string =>
  json.replace(EACH_INVISIBLE, (character) =>
    character === '\n'
      ? character
      : Array.from(
          { length: character.length },
          (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`,
        ).join(''),
  );

/** Nothing a person could read: empty, blanks, or characters that show as nothing. */
export const isBlank = (text: string): boolean => text.replace(EACH_INVISIBLE, '').trim() === '';

export const hasInvisible = (text: string): boolean => !PLAIN.test(text) && INVISIBLE.test(text);
