import { decoderOf, type Encoding, encodingByMark } from './encodings';

export interface TextLine {
  /** From 1. */
  readonly line: number;
  /** Undefined: longer than LINE_LENGTH_MAX, and left out. */
  readonly text: string | undefined;
  /** Its first byte that is no character of the encoding, with its place. */
  readonly damage?: string;
}

/** Longer than any real line; a file without line ends must not fill the memory. */
export const LINE_LENGTH_MAX = 256 * 1024;

const LINE_END = 0x0a;
const MARK = '\ufeff';
const DAMAGED = '\ufffd';

/** The lines of text in chunks, one after the other, whatever their number. A leading byte order mark is dropped. */
export function textLines(chunks: AsyncIterable<Uint8Array>, encoding: Encoding = 'utf-8'): AsyncGenerator<TextLine> {
  // In UTF-16 a line end is no byte of its own: such text is read as the UTF-8 that says the same.
  const wide = encoding === 'utf-16le' || encoding === 'utf-16be';
  return linesOf(wide ? asUtf8(chunks, encoding) : checked(chunks, encoding), wide ? 'utf-8' : encoding);
}

/** A file whose mark says another encoding than its mapping would be read as nonsense. */
export class OtherEncoding extends Error {
  override readonly name = 'OtherEncoding';
}

async function* checked(chunks: AsyncIterable<Uint8Array>, encoding: Encoding): AsyncGenerator<Uint8Array> {
  let first: Uint8Array | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (first === undefined) {
      yield chunk;
      continue;
    }
    first = Buffer.concat([first, chunk]);
    if (first.length < 3) continue;
    yield demandMark(first, encoding);
    first = undefined;
  }
  if (first !== undefined) yield demandMark(first, encoding);
}

function demandMark(bytes: Uint8Array, encoding: Encoding): Uint8Array {
  const said = encodingByMark(bytes);
  if (said === undefined || said === encoding) return bytes;
  throw new OtherEncoding(`begins with the byte order mark of ${said}, the mapping reads it as ${encoding}`);
}

async function* asUtf8(chunks: AsyncIterable<Uint8Array>, encoding: Encoding): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(encoding, { ignoreBOM: true });
  for await (const chunk of checked(chunks, encoding)) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>, encoding: Encoding): AsyncGenerator<TextLine> {
  const decode = decoderOf(encoding);
  let line = 1;
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  let tooLong = false;
  /** Whole lines, without the end of the last. */
  function* block(bytes: Uint8Array): Generator<TextLine> {
    const text = decode(bytes);
    const damaged = text.includes(DAMAGED);
    let at = 0;
    for (const part of text.split('\n')) {
      const end = damaged ? endOf(bytes, at) : 0;
      const whole = line === 1 && part.startsWith(MARK) ? part.slice(1) : part;
      const short = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
      const left = tooLong || short.length > LINE_LENGTH_MAX;
      tooLong = false;
      const found = { line, text: left ? undefined : short };
      yield damaged && part.includes(DAMAGED)
        ? { ...found, damage: damageOf(part, bytes.subarray(at, end), encoding, line) }
        : found;
      at = end + 1;
      line++;
    }
  }
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(LINE_END);
    if (end >= 0) {
      yield* block(rest.length === 0 ? chunk.subarray(0, end) : Buffer.concat([...rest, chunk.subarray(0, end)]));
      rest = [];
      restBytes = 0;
    }
    if (end + 1 < chunk.length) {
      rest.push(chunk.subarray(end + 1));
      restBytes += chunk.length - end - 1;
    }
    // Four bytes are the most a character has.
    if (restBytes > 4 * LINE_LENGTH_MAX) {
      tooLong = true;
      rest = [];
      restBytes = 0;
    }
  }
  if (restBytes > 0 || tooLong) yield* block(Buffer.concat(rest));
}

const endOf = (bytes: Uint8Array, from: number): number => {
  const end = bytes.indexOf(LINE_END, from);
  return end < 0 ? bytes.length : end;
};

/** All before the first damage was read well, so its length in bytes is known. */
function damageOf(text: string, bytes: Uint8Array, encoding: Encoding, line: number): string {
  const at = text.indexOf(DAMAGED);
  const place = `line ${line}, column ${at + 1 - (line === 1 && text.startsWith(MARK) ? 1 : 0)}`;
  const byte = bytes[encoding === 'utf-8' ? Buffer.byteLength(text.slice(0, at)) : at] ?? 0;
  const written = encoding === 'utf-8' && Buffer.from(bytes).includes(DAMAGED);
  return written
    ? `holds a character that was lost before (U+FFFD) at ${place}`
    : `holds byte 0x${byte.toString(16).toUpperCase().padStart(2, '0')} at ${place}, which is no character of ${encoding} ("encoding" in the mapping says what the file is)`;
}
