/*
 * JSONata walks its tree asynchronously, some 20 µs for a path and 100 µs for a body of seven members; nearly all
 * expressions of profiles need none of that. The forms below are done here as plain functions, with JSONata's meaning:
 *
 *   body.status                   names only
 *   body.status = 'accepted'      a path beside a literal; also != and in ['a', 'b']
 *   … and …, … or …               of such comparisons
 *   { "reference": record.key }   literal keys, each once; paths and literals as values
 *
 * What lies on arrays and functions has rules of its own in JSONata, so a value that is one ends the plain way, and
 * JSONata itself is asked. A property test compares the two.
 */

/** Ask JSONata. */
export const NOT_PLAIN: unique symbol = Symbol('not plain');

/** Yields what JSONata would, undefined where the expression finds nothing, or NOT_PLAIN. */
export type PlainExpression = (context: unknown) => unknown;

interface Node {
  readonly type?: unknown;
  readonly value?: unknown;
  readonly steps?: readonly Node[];
  readonly lhs?: unknown;
  readonly rhs?: unknown;
  readonly expressions?: readonly unknown[];
}

/** Members of a node that carry a meaning handled here; any other member asks for more than that. */
const KNOWN = {
  name: ['type', 'value', 'position'],
  path: ['type', 'steps'],
  binary: ['type', 'value', 'position', 'lhs', 'rhs'],
  unary: ['type', 'value', 'position', 'lhs'],
  list: ['type', 'value', 'position', 'expressions', 'consarray'],
  literal: ['type', 'value', 'position'],
} as const;
/** JSONata keeps these for itself. */
const RESERVED = new Set(['_jsonata_lambda', '_jsonata_function', '__proto__']);

/** Of a syntax tree of JSONata (`expression.ast()`); undefined where its form is none of those above. */
export function plainExpression(tree: unknown): PlainExpression | undefined {
  const node = tree as Node;
  switch (node.type) {
    case 'path':
      return path(node);
    case 'binary':
      return comparison(node);
    case 'unary':
      return members(node);
    default:
      return undefined;
  }
}

const hasOnly = (node: Node, names: readonly string[]): boolean =>
  Object.keys(node).every((name) => names.includes(name));

function path(node: Node): PlainExpression | undefined {
  const { steps = [] } = node;
  if (!hasOnly(node, KNOWN.path) || !steps.every((step) => step.type === 'name' && hasOnly(step, KNOWN.name)))
    return undefined;
  const names = steps.map(({ value }) => String(value));
  return (context) => {
    let found = context;
    if (isSpecial(found)) return NOT_PLAIN;
    for (const name of names) {
      if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
      found = (found as Readonly<Record<string, unknown>>)[name];
      if (isSpecial(found)) return NOT_PLAIN;
    }
    return found;
  };
}

const isSpecial = (value: unknown): boolean => Array.isArray(value) || typeof value === 'function';

interface Literal {
  readonly value: string | number | boolean | null;
}

function literal(node: unknown): Literal | undefined {
  const { type, value } = node as Node;
  if (type !== 'string' && type !== 'number' && type !== 'value') return undefined;
  if (!hasOnly(node as Node, KNOWN.literal)) return undefined;
  return { value: value as Literal['value'] };
}

function comparison(node: Node): PlainExpression | undefined {
  if (!hasOnly(node, KNOWN.binary)) return undefined;
  if (node.value === 'and' || node.value === 'or') return both(node, node.value);
  const left = plainPath(node.lhs);
  const holds = left && comparer(node);
  if (!left || !holds) return undefined;
  return (context) => {
    const found = left(context);
    return found === NOT_PLAIN ? NOT_PLAIN : holds(found);
  };
}

/** What is not there is neither equal nor unequal to anything, and in no list. */
function comparer({ value: operator, rhs }: Node): ((found: unknown) => boolean) | undefined {
  if (operator === 'in') {
    const { type, value, expressions = [] } = rhs as Node;
    const literals = expressions.map(literal);
    if (type !== 'unary' || value !== '[' || !hasOnly(rhs as Node, KNOWN.list)) return undefined;
    if (literals.length === 0 || literals.includes(undefined)) return undefined;
    const values: readonly unknown[] = literals.map((one) => one!.value);
    return (found) => values.some((one) => one === found);
  }
  const right = literal(rhs);
  if (!right) return undefined;
  if (operator === '=') return (found) => found === right.value;
  if (operator === '!=') return (found) => found !== undefined && found !== right.value;
  return undefined;
}

/** Of comparisons alone, so that both sides are true or false and nothing has to be made so. */
function both(node: Node, operator: 'and' | 'or'): PlainExpression | undefined {
  const side = (one: unknown): PlainExpression | undefined =>
    (one as Node).type === 'binary' ? comparison(one as Node) : undefined;
  const left = side(node.lhs);
  const right = side(node.rhs);
  if (!left || !right) return undefined;
  return (context) => {
    const first = left(context);
    if (first === NOT_PLAIN) return NOT_PLAIN;
    return first === (operator === 'or') ? first : right(context);
  };
}

const plainPath = (node: unknown): PlainExpression | undefined =>
  (node as Node).type === 'path' ? path(node as Node) : undefined;

function members(node: Node): PlainExpression | undefined {
  if (node.value !== '{' || !hasOnly(node, KNOWN.unary)) return undefined;
  const made: { readonly key: string; readonly valueOf: PlainExpression }[] = [];
  for (const [key, value] of node.lhs as readonly (readonly [Node, unknown])[]) {
    const fixed = literal(value);
    const valueOf = fixed ? () => fixed.value : plainPath(value);
    if (key.type !== 'string' || !valueOf || RESERVED.has(String(key.value))) return undefined;
    made.push({ key: String(key.value), valueOf });
  }
  if (made.length === 0 || new Set(made.map(({ key }) => key)).size < made.length) return undefined;
  return (context) => {
    // An array as context would be grouped, item by item.
    if (isSpecial(context)) return NOT_PLAIN;
    const result = Object.create(null) as Record<string, unknown>;
    for (const { key, valueOf } of made) {
      const value = valueOf(context);
      if (value === NOT_PLAIN) return NOT_PLAIN;
      if (value !== undefined) result[key] = value;
    }
    return result;
  };
}
