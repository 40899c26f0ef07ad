import { compileExpression, type EvaluateElsewhere, type MemberGuard, MissingValue } from './expression';
import { REQUEST_CONTEXT, valueAt } from './expression-contexts';
import { type ExpressionNode, expressionPaths, type Pair } from './expression-paths';

/** The Body of a request, compiled so that nothing can go missing from it unseen. */
export interface RequestBody {
  /** Throws MissingValue where a value that it needs is not there, else what JSONata throws. */
  evaluate(context: object): Promise<unknown>;
}

/** These always yield something; a list in a list must stay one to JSONata, or it is dissolved in the outer one. */
const isCertain = ({ type, value }: ExpressionNode): boolean =>
  type === 'string' || type === 'number' || type === 'value' || (type === 'unary' && (value === '[' || value === '{'));

/**
 * JSONata drops a member without a value, takes it for empty text in `&`, and leaves it out of a list. Here it is an
 * error, in two steps: every value of the context that the expression names must be there before it runs, unless
 * `optional` lists its path; and every member, list item and part of a text that the expression computes must have come
 * to something. Only what reads an optional value may vanish. A list item that is a condition without an else is left
 * out on purpose: `$merge([{…}, wanted ? {…}])` is the way to say so.
 */
export function compileRequestBody(
  text: string,
  optional: readonly string[] = [],
  elsewhere?: EvaluateElsewhere,
): RequestBody {
  const mayBeMissing = new Set(optional);
  let needed: readonly (readonly string[])[] = [];
  const expression = compileExpression(text, elsewhere, (tree) => {
    const { reads, readsOf } = expressionPaths(tree, REQUEST_CONTEXT);
    needed = [...reads].filter((path) => !mayBeMissing.has(path)).map((path) => path.split('.'));
    return [...guardsIn(tree, [], (node) => [...(readsOf.get(node) ?? [])].some((path) => mayBeMissing.has(path)))];
  });
  return {
    evaluate(context) {
      for (const path of needed)
        if (valueAt(context, path) === undefined)
          return Promise.reject(new MissingValue(`${path.join('.')} has no value and is not among Optional`));
      return expression.evaluate(context);
    },
  };
}

type Path = MemberGuard['path'];

/** Every part that must come to something, inner ones first. */
function* guardsIn(node: unknown, path: Path, mayVanish: (node: ExpressionNode) => boolean): Generator<MemberGuard> {
  if (typeof node !== 'object' || node === null) return;
  for (const [name, child] of Object.entries(node)) yield* guardsIn(child, [...path, name], mayVanish);
  const at = node as ExpressionNode;
  const wrap = function* (part: ExpressionNode, place: Path, what: string): Generator<MemberGuard> {
    if (!isCertain(part) && !mayVanish(part)) yield { path: [...path, ...place], what };
  };
  const wrapPairs = function* (pairs: readonly Pair[], place: Path): Generator<MemberGuard> {
    for (const [index, [key, value]] of pairs.entries()) {
      const what = key.type === 'string' ? `the member ${String(key.value)}` : 'a member';
      yield* wrap(value, [...place, String(index), '1'], what);
    }
  };
  if (at.type === 'unary' && at.value === '{') yield* wrapPairs(at.lhs as readonly Pair[], ['lhs']);
  if (at.type === 'unary' && at.value === '[')
    for (const [index, item] of at.expressions!.entries())
      if (!(item.type === 'condition' && !item.else) && item.value !== '..')
        yield* wrap(item, ['expressions', String(index)], 'an item of a list');
  if (at.type === 'binary' && at.value === '&') {
    yield* wrap(at.lhs as ExpressionNode, ['lhs'], 'a part of a text');
    yield* wrap(at.rhs as ExpressionNode, ['rhs'], 'a part of a text');
  }
  if (at.group) yield* wrapPairs(at.group.lhs, ['group', 'lhs']);
}
