import { type ContextLeaf, LOWER_CASE_NAMES, ANYTHING } from './expression-contexts';

/** What is known of a value before it exists. `path`: where in the context it is; undefined where the expression made it. */
export type Shape =
  | { readonly kind: 'any' }
  | { readonly kind: 'names' }
  | { readonly kind: 'value'; readonly path: string }
  | { readonly kind: 'object'; readonly path: string | undefined; readonly members: Readonly<Record<string, Shape>> };

export const ANY: Shape = { kind: 'any' };

type Member = ContextLeaf | typeof ANYTHING | typeof LOWER_CASE_NAMES | { readonly [name: string]: Member };

/** A context of expression-contexts.ts as a shape. */
export function shapeOf(member: unknown, path = ''): Shape {
  const known = member as Member;
  if (known === ANYTHING) return ANY;
  if (known === LOWER_CASE_NAMES) return { kind: 'names' };
  if (typeof known === 'string') return { kind: 'value', path };
  const under = path === '' ? '' : `${path}.`;
  return {
    kind: 'object',
    path,
    members: Object.fromEntries(
      Object.entries(known as object).map(([name, one]) => [name, shapeOf(one, `${under}${name}`)]),
    ),
  };
}

/** Dotted paths of the context's values that a shape holds. */
export function pathsIn(shape: Shape): readonly string[] {
  if (shape.kind === 'value') return [shape.path];
  return shape.kind === 'object' && shape.path !== undefined ? Object.values(shape.members).flatMap(pathsIn) : [];
}
