import { parseJsonKeepingBigIntegers } from './big-integers';

/** What a decoder writes for bytes that are no UTF-8. */
const REPLACEMENT = '\uFFFD';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8WithLosses = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * A message's body as the port promises it, whatever lies in the broker: the parsed JSON; the text where it is not JSON, or
 * JSON beyond our bounds; the text with what could be read of it where its bytes are no UTF-8, since a JSON member read
 * with losses would be another one. Never throws: one bad body must not keep its neighbours from being received.
 */
export function messageBody(content: unknown): unknown {
  if (content === null || content === undefined) return undefined;
  if (content instanceof Uint8Array) return bodyOfBytes(content);
  return typeof content === 'string' ? bodyOfText(content) : content;
}

function bodyOfBytes(bytes: Uint8Array): unknown {
  try {
    return bodyOfText(utf8.decode(bytes));
  } catch {
    return utf8WithLosses.decode(bytes);
  }
}

function bodyOfText(text: string): unknown {
  try {
    return parseJsonKeepingBigIntegers(text);
  } catch {
    return text;
  }
}

/** For a store that has decoded the bytes itself: what it could not decode is no JSON. */
export const messageBodyOfDecoded = (content: unknown): unknown =>
  typeof content === 'string' && content.includes(REPLACEMENT) ? content : messageBody(content);

/** Application properties are text, numbers and truth values; whatever else lies there becomes text, nothing is left out. */
export function messageProperties(
  properties: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string | number | boolean>> {
  const plain: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    plain[name] = isPlain(value) ? value : asText(value);
  }
  return plain;
}

const isPlain = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

function asText(value: unknown): string {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  // AMQP's 64-bit integers.
  if (Buffer.isBuffer(value) && value.length === 8) return value.readBigInt64BE().toString();
  try {
    return typeof value === 'object' ? (JSON.stringify(value) ?? typeof value) : String(value);
  } catch {
    return typeof value;
  }
}
