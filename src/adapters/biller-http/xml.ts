import * as sax from 'sax';

/*
 * The small part of XML that biller APIs use: elements, attributes, text, CDATA, comments, the five named entities and
 * character references. A document type is refused, so there are no external entities and no entity bombs. Reading is
 * linear in the length of the text, which RESPONSE_BYTES_MAX bounds.
 */
const NAME = /^[A-Za-z_][\w.-]*$/;
const DEPTH_MAX = 32;
export const XML_ELEMENTS_MAX = 20_000;
export const XML_ATTRIBUTES_MAX = 64;
export const XML_NAME_LENGTH_MAX = 256;
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Characters that stand in no XML text, neither written as they are nor by reference (XML 1.0 §2.2). */
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
 * where a name repeats; attributes as `@name`). Namespace prefixes are dropped. Throws where the text is not well-formed,
 * or holds more than the limits above.
 */
export function readXml(text: string): unknown {
  if (UNWRITABLE.test(text)) throw malformed();
  const tree = new Tree();
  const parser = strictParser(tree);
  let from = 0;
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at + 1)) {
    parser.write(text.slice(from, at));
    from = at;
    demandMarkup(parser, text, at);
  }
  parser.write(text.slice(from)).close();
  return tree.content();
}

const STATE = (sax as unknown as { readonly STATE: Readonly<Record<string, number>> }).STATE;
/**
 * What stands where markup may begin. Looked at here, since the parser skips spaces there, and takes a time that grows
 * with the square of its length over a declaration that is neither a comment nor CDATA.
 */
const MARKUP = /^<(?:\?|!--|!\[CDATA\[|\/?[^\s/>!?])/;

function demandMarkup(parser: sax.SAXParser, text: string, at: number): void {
  const { state } = parser as unknown as { readonly state: number };
  if (state === STATE['ATTRIB_VALUE_QUOTED']) throw malformed();
  if (state !== STATE['TEXT'] && state !== STATE['BEGIN'] && state !== STATE['BEGIN_WHITESPACE']) return;
  if (!MARKUP.test(text.slice(at, at + '<![CDATA['.length))) throw malformed();
}

/**
 * sax is a kept parser, and lenient where it may be: in strict mode too it drops a repeated attribute, takes a second
 * root and `&AMP;`, finds `&constructor;` among its entities, and goes on after an error. None of that is well-formed.
 */
function strictParser(tree: Tree): sax.SAXParser {
  // Without positions it has no buffer limits of its own either: they would cut text and refuse a long attribute.
  const parser = sax.parser(true, { position: false });
  const refuse = (): never => {
    throw malformed();
  };
  parser.onerror = refuse;
  parser.onopentagstart = (tag) => {
    (tag as { attributes: unknown }).attributes = NO_ATTRIBUTES;
    tree.open(tag.name);
  };
  parser.onattribute = ({ name, value }) => tree.attribute(name, value);
  parser.onclosetag = () => tree.close();
  parser.ontext = (content) => tree.text(content);
  parser.oncdata = (content) => tree.text(content);
  parser.onopencdata = () => tree.demandOpen();
  (parser as unknown as { ENTITIES: unknown }).ENTITIES = new Proxy({}, { get: (_target, name) => referenced(name) });
  return parser;
}

/** sax keeps attributes here and says nothing of one it has already: it finds none, so each is told, and told once. */
const NO_ATTRIBUTES: unknown = Object.freeze(
  Object.assign(Object.create(null) as object, { hasOwnProperty: () => false }),
);

interface Node {
  readonly name: string;
  text: string;
  readonly attributes: Set<string>;
  readonly children: Record<string, unknown>;
  hasChildren: boolean;
}

/** The elements that are open, and what has been read of them. */
class Tree {
  private readonly opened: Node[] = [];
  private root: Node | undefined;
  private elements = 0;

  open(name: string): void {
    const hasRoot = this.root !== undefined;
    if ((this.opened.length === 0 && hasRoot) || this.opened.length >= DEPTH_MAX) throw malformed();
    if (++this.elements > XML_ELEMENTS_MAX) throw malformed();
    const children = Object.create(null) as Record<string, unknown>;
    const node: Node = { name: localName(name), text: '', attributes: new Set(), children, hasChildren: false };
    this.root ??= node;
    this.opened.push(node);
  }

  attribute(name: string, value: string): void {
    const node = this.demandOpen();
    if (node.attributes.has(name) || node.attributes.size >= XML_ATTRIBUTES_MAX) throw malformed();
    node.attributes.add(name);
    const local = localName(name);
    if (!name.startsWith('xmlns')) addChild(node, `@${local}`, value);
  }

  text(content: string): void {
    const node = this.opened.at(-1);
    if (node) node.text += content;
    else if (content.trim() !== '') throw malformed();
  }

  close(): void {
    const node = this.opened.pop()!;
    const parent = this.opened.at(-1);
    if (parent) addChild(parent, node.name, valueOf(node));
  }

  demandOpen(): Node {
    const node = this.opened.at(-1);
    if (!node) throw malformed();
    return node;
  }

  content(): unknown {
    if (!this.root || this.opened.length > 0) throw malformed();
    return valueOf(this.root);
  }
}

const malformed = (): SyntaxError => new SyntaxError('not well-formed XML, or more of it than an answer may hold');
const valueOf = (node: Node): unknown => (node.hasChildren ? { ...node.children } : node.text);

function localName(name: string): string {
  const local = name.slice(name.indexOf(':') + 1);
  if (local === '' || name.length > XML_NAME_LENGTH_MAX) throw malformed();
  return local;
}

/** No child's value is an array by itself, so an array is one that was made here and may grow. */
function addChild(parent: Node, name: string, value: unknown): void {
  const before = parent.children[name];
  if (before === undefined) parent.children[name] = value;
  else if (Array.isArray(before)) before.push(value);
  else parent.children[name] = [before, value];
  parent.hasChildren = true;
}

function referenced(name: string | symbol): string {
  const text = String(name);
  if (Object.hasOwn(NAMED, text)) return NAMED[text]!;
  const [, hex, decimal] = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(text) ?? [];
  const point = hex === undefined ? Number(decimal ?? NaN) : parseInt(hex, 16);
  if (!(point > 0 && point <= 0x10ffff) || (point >= 0xd800 && point <= 0xdfff)) throw malformed();
  const character = String.fromCodePoint(point);
  if (UNWRITABLE.test(character)) throw malformed();
  return character;
}
