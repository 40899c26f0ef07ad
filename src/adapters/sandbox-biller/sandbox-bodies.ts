import { type SandboxBiller } from './sandbox-configuration';

/** Top-level fields of a request body. Nested parts (a customer, say) are passed over: the sandbox does not need them. */
export type Fields = ReadonlyMap<string, string | number>;
export type AnswerFields = Readonly<Record<string, string | number | undefined>>;
type Format = SandboxBiller['format'];

/** A body that is not what the biller's format says; the sender gets the message with status 400. */
export class UnreadableBody extends Error {}

export function readFields(body: string, format: Format): Fields {
  if (format === 'json') return readJson(body);
  return format === 'xml' ? readXml(body) : new Map(new URLSearchParams(body));
}

export const contentTypeOf = (format: Format): string => (format === 'xml' ? 'application/xml' : 'application/json');

/** JSON object, or `<Answer>` with one element per field; a field that is undefined is left out. */
export function renderAnswer(fields: AnswerFields, format: Format): string {
  if (format !== 'xml') return JSON.stringify(fields);
  let inner = '';
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) inner += `<${name}>${String(value).replace(/[&<>]/g, (sign) => ESCAPED[sign]!)}</${name}>`;
  }
  return `<?xml version="1.0" encoding="UTF-8"?><Answer>${inner}</Answer>`;
}

const ESCAPED: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

function readJson(body: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new UnreadableBody('the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UnreadableBody('the body is not a JSON object');
  const fields = new Map<string, string | number>();
  for (const [name, field] of Object.entries(value)) {
    if (typeof field === 'string' || typeof field === 'number') fields.set(name, field);
  }
  return fields;
}

/** A tag (closing mark, name, attributes, self-closing mark) or the text up to the next tag. */
const PIECE = /<(\/?)([A-Za-z_][\w.-]*)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y;

/** Elements directly under the root. No DTD, CDATA or comments: a biller's API does not send them, and entities must not expand. */
function readXml(body: string): Fields {
  const fields = new Map<string, string>();
  const open: string[] = [];
  let content = '';
  let rootClosed = false;
  const text = body.replace(/^\uFEFF?\s*<\?xml[^?]*\?>/, '').trim();
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < text.length) {
    const at = PIECE.lastIndex;
    const piece = PIECE.exec(text);
    if (piece === null || rootClosed)
      throw new UnreadableBody(`the body is not XML: unexpected text at position ${at}`);
    const [, closing, name, , selfClosing, characters] = piece;
    if (characters !== undefined) {
      if (open.length === 0) throw new UnreadableBody('the body is not XML: text outside the root element');
      if (open.length === 2) content += characters;
    } else if (closing) {
      if (open.pop() !== name) throw new UnreadableBody(`the body is not XML: </${name}> closes nothing`);
      if (open.length === 1) fields.set(name!, unescape(content));
      rootClosed = open.length === 0;
    } else {
      if (open.length === 1) content = '';
      if (!selfClosing) open.push(name!);
      else if (open.length === 1) fields.set(name!, '');
      else rootClosed = open.length === 0;
    }
  }
  if (!rootClosed) throw new UnreadableBody('the body is not XML: it ends early');
  return fields;
}

const NAMED: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));/g,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return NAMED[name] ?? whole;
      const point = decimal === undefined ? parseInt(hex!, 16) : Number(decimal);
      if (point > 0x10ffff) throw new UnreadableBody(`the body is not XML: no such character ${whole}`);
      return String.fromCodePoint(point);
    },
  );
}
