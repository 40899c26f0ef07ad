import { type BodyFormat } from '../shared/biller-document/biller-document';
import { readXml, writeXml } from './xml';

export const CONTENT_TYPE: Readonly<Record<BodyFormat, string>> = {
  json: 'application/json; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
  form: 'application/x-www-form-urlencoded',
};

/** Throws a TypeError without data in its message where the value does not fit the format. */
export function writeBody(format: BodyFormat, rootElement: string | undefined, value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('the Body expression must yield an object');
  if (format === 'json') return JSON.stringify(value);
  if (format === 'xml') return writeXml(rootElement ?? 'Request', value);
  const form = new URLSearchParams();
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined || member === null) continue;
    if (typeof member === 'object') throw new TypeError(`the form member ${name} must be text, a number or a boolean`);
    form.append(name, String(member));
  }
  return form.toString();
}

export type ParsedBody = { readonly wellFormed: true; readonly body: unknown } | { readonly wellFormed: false };

/** By the answer's content type; an answer that claims none is taken as `expected`. No body at all is well-formed. */
export function parseBody(
  bytes: Buffer,
  headers: Readonly<Record<string, string>>,
  expected: 'json' | 'xml',
): ParsedBody {
  // We ask for no compression, so a compressed body cannot be read.
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
    return { wellFormed: false };
  if (bytes.length === 0) return { wellFormed: true, body: undefined };
  const type = headers['content-type']?.toLowerCase();
  const text = bytes.toString('utf8');
  try {
    if (type === undefined ? expected === 'json' : /[/+]json\b/.test(type))
      return { wellFormed: true, body: JSON.parse(text) as unknown };
    if (type === undefined ? expected === 'xml' : /[/+]xml\b/.test(type))
      return { wellFormed: true, body: readXml(text) };
    return { wellFormed: true, body: text };
  } catch {
    return { wellFormed: false };
  }
}
