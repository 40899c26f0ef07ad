/** A string literal, kept whole so that digits inside text are left alone, or an integer too long for a double. */
const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;
const LONG_DIGITS = /\d{16}/;

/**
 * JSON.parse, but an integer beyond 2^53-1 becomes its decimal text instead of losing its last digits: other teams
 * write 64-bit database ids as JSON numbers. Throws SyntaxError on what is not JSON.
 */
export function parseJsonKeepingBigIntegers(text: string): unknown {
  if (!LONG_DIGITS.test(text)) return JSON.parse(text);
  // JSON.parse of the original first: quoting digits must not turn broken JSON (such as 007…) into valid JSON.
  JSON.parse(text);
  return JSON.parse(text.replace(STRING_OR_LONG_INTEGER, (token, at: number) => quoteWhereUnsafe(token, text[at - 1])));
}

function quoteWhereUnsafe(token: string, before: string | undefined): string {
  const insideNumber = before !== undefined && /[\d.eE+]/.test(before);
  if (token.startsWith('"') || insideNumber || Number.isSafeInteger(Number(token))) return token;
  return `"${token}"`;
}
