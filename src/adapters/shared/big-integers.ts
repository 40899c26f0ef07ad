/** JSON nested deeper than this is not read: what prints it, copies it or sends it again may go down its levels. */
export const JSON_DEPTH_MAX = 64;
/** Longer text is not read as JSON: no message and no answer of ours comes near it. */
const JSON_LENGTH_MAX = 1024 * 1024;

const INTEGER = /^-?\d{16,}$/;

/**
 * JSON.parse, but an integer beyond 2^53-1 becomes its decimal text instead of losing its last digits: other teams
 * write 64-bit database ids as JSON numbers. Throws SyntaxError on what is not JSON, is nested deeper than JSON_DEPTH_MAX or
 * longer than `lengthMax` characters. Takes time in proportion to the text, whatever stands in it.
 */
export function parseJsonKeepingBigIntegers(text: string, lengthMax = JSON_LENGTH_MAX): unknown {
  if (text.length > lengthMax) throw new SyntaxError(`at most ${lengthMax} characters are read as JSON`);
  const unsafe = unsafeIntegers(text);
  // The original first: quoting digits must not turn broken JSON (such as 007…) into valid JSON.
  const parsed: unknown = JSON.parse(text);
  return unsafe.length === 0 ? parsed : JSON.parse(quoted(text, unsafe));
}

interface Token {
  readonly from: number;
  readonly to: number;
}

/** Where integers stand that no double holds. Goes through the text once, and refuses what is nested too deep. */
function unsafeIntegers(text: string): readonly Token[] {
  const found: Token[] = [];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!;
    if (sign === '"') at = endOfString(text, at);
    else if (sign === '[' || sign === '{') {
      if (++depth > JSON_DEPTH_MAX) throw new SyntaxError(`nested deeper than ${JSON_DEPTH_MAX} levels`);
    } else if (sign === ']' || sign === '}') depth--;
    else if (inNumber(sign)) {
      const from = at;
      while (at + 1 < text.length && inNumber(text[at + 1]!)) at++;
      if (at - from < 15) continue;
      const token = text.slice(from, at + 1);
      if (INTEGER.test(token) && !Number.isSafeInteger(Number(token))) found.push({ from, to: at + 1 });
    }
  }
  return found;
}

/** Of the closing quote, or of the last character where there is none. */
export function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

const inNumber = (sign: string): boolean =>
  (sign >= '0' && sign <= '9') || sign === '-' || sign === '+' || sign === '.' || sign === 'e' || sign === 'E';

function quoted(text: string, tokens: readonly Token[]): string {
  const parts: string[] = [];
  let done = 0;
  for (const { from, to } of tokens) {
    parts.push(text.slice(done, from), '"', text.slice(from, to), '"');
    done = to;
  }
  return parts.join('') + text.slice(done);
}
