/*
 * The small part of XML that biller APIs use: elements, attributes, text, CDATA, comments, the five named entities and
 * character references. A document type is refused, so there are no external entities and no entity bombs.
 */
const NAME = /^[A-Za-z_][\w.-]*$/;
const DEPTH_MAX = 32;
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const UNWRITABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Members become elements, `@name` members attributes, arrays repeat their element. Throws on what XML cannot carry. */
export function writeXml(root: string, value: unknown): string {
  return `<?xml version="1.0" encoding="UTF-8"?>${element(root, value, 0)}`;
}

function element(name: string, value: unknown, depth: number): string {
  if (!NAME.test(name) || depth > DEPTH_MAX) throw new TypeError(`not an XML element: ${name}`);
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map((one) => element(name, one, depth + 1)).join('');
  if (typeof value !== 'object') return `<${name}>${escaped(String(value))}</${name}>`;
  let attributes = '';
  let children = '';
  for (const [key, child] of Object.entries(value)) {
    if (!key.startsWith('@')) children += element(key, child, depth + 1);
    else if (!NAME.test(key.slice(1))) throw new TypeError(`not an XML attribute: ${key}`);
    else attributes += ` ${key.slice(1)}="${escaped(String(child))}"`;
  }
  return `<${name}${attributes}>${children}</${name}>`;
}

function escaped(text: string): string {
  if (UNWRITABLE.test(text)) throw new TypeError('a control character cannot stand in XML');
  return text.replace(/[&<>"'\r]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/**
 * The content of the outermost element: text where an element holds only text, else an object of its children (an array
 * where a name repeats; attributes as `@name`). Namespace prefixes are dropped. Throws where the text is not well-formed.
 */
export function readXml(text: string): unknown {
  const tokens =
    /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<\/([^\s<>]+)\s*>|<([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/gy;
  const open: Node[] = [];
  let root: Node | undefined;
  let at = text.startsWith('\ufeff') ? 1 : 0;
  while (at < text.length) {
    tokens.lastIndex = at;
    const token = tokens.exec(text);
    if (!token) throw malformed(at);
    at = tokens.lastIndex;
    const [, cdata, closing, opening, attributes, empty, content] = token;
    const parent = open.at(-1);
    if (opening !== undefined) {
      if ((!parent && root) || open.length >= DEPTH_MAX) throw malformed(at);
      const node: Node = {
        name: opening,
        text: '',
        children: Object.create(null) as Record<string, unknown>,
        hasChildren: false,
      };
      readAttributes(attributes ?? '', node);
      if (!parent) root = node;
      if (empty === '/') closeInto(parent, node);
      else open.push(node);
    } else if (closing !== undefined) {
      if (parent?.name !== closing) throw malformed(at);
      open.pop();
      closeInto(open.at(-1), parent);
    } else if (cdata !== undefined || content !== undefined) {
      if (parent) parent.text += cdata ?? unescaped(content!);
      else if (cdata !== undefined || content!.trim() !== '') throw malformed(at);
    }
  }
  if (!root || open.length > 0) throw malformed(at);
  return valueOf(root);
}

interface Node {
  readonly name: string;
  text: string;
  readonly children: Record<string, unknown>;
  hasChildren: boolean;
}

const malformed = (at: number): SyntaxError => new SyntaxError(`not well-formed XML near character ${at}`);
const localName = (name: string): string => name.slice(name.indexOf(':') + 1);
const valueOf = (node: Node): unknown => (node.hasChildren ? { ...node.children } : node.text);

function closeInto(parent: Node | undefined, node: Node): void {
  if (parent) addChild(parent, localName(node.name), valueOf(node));
}

function addChild(parent: Node, name: string, value: unknown): void {
  const before = parent.children[name];
  parent.children[name] =
    before === undefined ? value : Array.isArray(before) ? [...(before as unknown[]), value] : [before, value];
  parent.hasChildren = true;
}

function readAttributes(text: string, node: Node): void {
  for (const [, name, double, single] of text.matchAll(/([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    if (!name!.startsWith('xmlns')) addChild(node, `@${localName(name!)}`, unescaped(double ?? single ?? ''));
  }
}

function unescaped(text: string): string {
  return text.replace(/&([^;&\s]{0,12});?/g, (whole, name: string) => {
    if (!whole.endsWith(';')) throw malformed(0);
    if (Object.hasOwn(NAMED, name)) return NAMED[name]!;
    const point = /^#x[0-9a-f]{1,6}$/i.test(name)
      ? parseInt(name.slice(2), 16)
      : /^#\d{1,7}$/.test(name)
        ? Number(name.slice(1))
        : NaN;
    if (!(point > 0 && point <= 0x10ffff)) throw malformed(0);
    return String.fromCodePoint(point);
  });
}
