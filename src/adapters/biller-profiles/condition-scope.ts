import jsonata from 'jsonata';

/**
 * What of an answer a valid condition looks at. One that looks at nothing says the same to every answer; one that looks
 * at the status alone says nothing that `Status` could not, and takes an error in a 200 for what it is not.
 */
export function whatItLooksAt(condition: string): 'nothing' | 'status' | 'content' {
  const names = new Set<string>();
  collect(jsonata(condition).ast(), names);
  if (names.size === 0) return 'nothing';
  return names.size === 1 && names.has('status') ? 'status' : 'content';
}

/** Every name, of whatever object; wildcards, and `$` or `$$` alone, may be the whole answer. */
function collect(node: unknown, names: Set<string>): void {
  if (typeof node !== 'object' || node === null) return;
  const { type, value, steps } = node as { type?: unknown; value?: unknown; steps?: readonly { type?: unknown }[] };
  // `$$.status` is `status`.
  if (steps?.[0]?.type === 'variable' && steps[1]?.type === 'name') return collect(steps.slice(1), names);
  if (type === 'name') names.add(String(value));
  if (type === 'wildcard' || type === 'descendant') names.add('*');
  if (type === 'variable' && (value === '' || value === '$')) names.add('$');
  for (const child of Object.values(node)) collect(child, names);
}

interface Node {
  readonly type?: string;
  readonly value?: unknown;
  readonly steps?: readonly Node[];
  readonly lhs?: Node;
  readonly rhs?: Node;
  readonly procedure?: Node;
  readonly arguments?: readonly Node[];
  readonly expressions?: readonly Node[];
  readonly condition?: Node;
  readonly then?: Node;
  readonly else?: Node;
}

/** What cannot be told without the answer. */
const OPEN: unique symbol = Symbol('open');
type Told = string | number | boolean | null | undefined | typeof OPEN;

/**
 * Whether a valid condition holds for an answer without body and headers: for a bare 200 of a proxy, say, or a page that
 * is not the biller's. It does where it asks for the absence of a "no" (`$not(body.error)`) instead of the presence of a
 * "yes". A question for an empty body itself (`$exists(body)`) is meant so, and stays open.
 */
export const holdsForSilence = (condition: string): boolean =>
  whatItLooksAt(condition) === 'content' && ofSilence(jsonata(condition).ast() as Node) === true;

/** The value that the expression has for such an answer; undefined where it finds nothing. */
function ofSilence(node: Node): Told {
  const { type, value } = node;
  if (type === 'string' || type === 'number' || type === 'value') return value as Told;
  if (type === 'path') return ofPath(node);
  if (type === 'binary') return ofBinary(node);
  if (type === 'function') return ofCall(node);
  if (type === 'block' && node.expressions?.length === 1) return ofSilence(node.expressions[0]!);
  if (type === 'condition') {
    const asked = truth(ofSilence(node.condition!));
    if (asked === OPEN) return OPEN;
    return asked ? ofSilence(node.then!) : node.else && ofSilence(node.else);
  }
  return OPEN;
}

function ofPath({ steps = [] }: Node): Told {
  const names = steps[0]?.type === 'variable' ? steps.slice(1) : steps;
  const first = names[0];
  if (first?.type !== 'name' || (first.value !== 'body' && first.value !== 'headers')) return OPEN;
  return first.value === 'headers' && names.length === 1 ? OPEN : undefined;
}

/** What is not there is neither equal nor unequal to anything, nor less, nor more, nor in a list. */
function ofBinary({ value, lhs, rhs }: Node): Told {
  const left = ofSilence(lhs!);
  const right = ofSilence(rhs!);
  if (value === 'and' || value === 'or') {
    const one = truth(left);
    return one === OPEN || one === (value === 'or') ? one : truth(right);
  }
  // What is open may also break off the whole.
  if (left === OPEN || right === OPEN) return OPEN;
  if (['=', '!=', 'in'].includes(String(value)) && (left === undefined || right === undefined)) return false;
  if (value === '=') return left === right;
  return value === '!=' ? left !== right : OPEN;
}

function ofCall({ procedure, arguments: given = [] }: Node): Told {
  const [first] = given;
  if (procedure?.type !== 'variable' || first === undefined || given.length > 1) return OPEN;
  const isWholeBody = first.type === 'path' && first.steps?.length === 1;
  const found = ofSilence(first);
  if (found === OPEN || isWholeBody) return OPEN;
  if (procedure.value === 'exists') return found !== undefined;
  if (procedure.value !== 'not' && procedure.value !== 'boolean') return OPEN;
  if (found === undefined) return undefined;
  return (truth(found) === true) === (procedure.value === 'boolean');
}

const truth = (told: Told): boolean | typeof OPEN => (told === OPEN ? OPEN : Boolean(told));
