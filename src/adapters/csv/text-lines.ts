export interface TextLine {
  /** From 1. */
  readonly line: number;
  /** Undefined: longer than LINE_LENGTH_MAX, and left out. */
  readonly text: string | undefined;
}

/** Longer than any real line; a file without line ends must not fill the memory. */
export const LINE_LENGTH_MAX = 256 * 1024;

/** The lines of UTF-8 text in chunks, one after the other, whatever their number. A leading byte order mark is dropped. */
export async function* textLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TextLine> {
  const decoder = new TextDecoder('utf-8');
  let line = 1;
  let rest = '';
  let tooLong = false;
  const finished = (text: string): TextLine => {
    const whole = text.endsWith('\r') ? text.slice(0, -1) : text;
    const result = { line, text: tooLong || whole.length > LINE_LENGTH_MAX ? undefined : whole };
    line++;
    tooLong = false;
    return result;
  };
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop()!;
    for (const part of parts) yield finished(part);
    if (rest.length > LINE_LENGTH_MAX) {
      tooLong = true;
      rest = '';
    }
  }
  rest += decoder.decode();
  if (rest !== '' || tooLong) yield finished(rest);
}
