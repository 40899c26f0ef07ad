import { type BodyFormat } from '../shared/biller-document/biller-document';
import { repeatedMember } from '../shared/repeated-member';
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
  if (demandWritable(value, format !== 'json', 0) === 0)
    throw new TypeError('the Body expression yields an object without members');
  if (format === 'json') return JSON.stringify(value);
  if (format === 'xml') return writeXml(rootElement ?? 'Request', value);
  const form = new URLSearchParams();
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    if (typeof member === 'object') throw new TypeError(`the form member ${name} must be text, a number or a boolean`);
    form.append(name, String(member));
  }
  return form.toString();
}

const DEPTH_MAX = 32;

/**
 * What the writers would drop or turn into nothing is refused: functions, numbers that are none, and null where the
 * format has no word for it. An undefined member is one that the request lists as Optional: request-body.ts saw to that.
 * Yields how many members there are.
 */
function demandWritable(value: object, refuseNull: boolean, depth: number): number {
  if (depth > DEPTH_MAX) throw new TypeError('the Body is nested too deep');
  const names = Object.keys(value);
  for (const name of names) {
    const member = (value as Readonly<Record<string, unknown>>)[name];
    switch (typeof member) {
      case 'object':
        if (member === null) {
          if (refuseNull) throw new TypeError(`the member ${name} is null, which this Format cannot carry`);
        } else if ('_jsonata_lambda' in member) throw new TypeError(`the member ${name} is a function`);
        else demandWritable(member, refuseNull, depth + 1);
        break;
      case 'number':
        if (!Number.isFinite(member)) throw new TypeError(`the member ${name} is no number`);
        break;
      case 'function':
      case 'symbol':
        throw new TypeError(`the member ${name} is a function`);
      default:
    }
  }
  return names.length;
}
/** Nesting of a JSON answer; what walks it later, JSONata above all, goes a level down for each. */
export const JSON_DEPTH_MAX = 64;

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
      return isTooDeep(text) ? { wellFormed: false } : readJson(text);
    if (type === undefined ? expected === 'xml' : /[/+]xml\b/.test(type))
      return { wellFormed: true, body: readXml(text) };
    return { wellFormed: true, body: text };
  } catch {
    return { wellFormed: false };
  }
}

/** An answer that says `declined` and then `accepted` under one name says neither, though JSON.parse keeps the last. */
function readJson(text: string): ParsedBody {
  const body = JSON.parse(text) as unknown;
  return repeatedMember(text) === undefined ? { wellFormed: true, body } : { wellFormed: false };
}

const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** Whether brackets outside of text are nested deeper than JSON_DEPTH_MAX. Of what is not JSON it may say either. */
function isTooDeep(text: string): boolean {
  if (text.length <= JSON_DEPTH_MAX) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) quoted = false;
    } else if (code === QUOTE) quoted = true;
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > JSON_DEPTH_MAX) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}
