/**
 * T-SQL that is fixed when the program is built. Only `tsql` makes it, and it takes nothing but other T-SQL of ours, so
 * that data cannot get into a statement's text: data travels in parameters.
 */
export type SqlText = string & { readonly __brand: 'SqlText' };

export function tsql(parts: TemplateStringsArray, ...constants: readonly SqlText[]): SqlText {
  return String.raw({ raw: parts }, ...constants) as SqlText;
}

/** What a parameter holds; its type in T-SQL follows from it. `id`s may be undefined, which is NULL. */
export type ParameterKind = 'json' | 'count' | 'instant' | 'id' | 'chunk-id' | 'word' | 'text';

/** A batch of T-SQL with the parameters it takes, one round trip. */
export interface Statement<Name extends string = string> {
  readonly text: SqlText;
  readonly parameters: Readonly<Record<Name, ParameterKind>>;
}

export const statement = <Name extends string>(
  parameters: Readonly<Record<Name, ParameterKind>>,
  text: SqlText,
): Statement<Name> => ({ text, parameters });

/** Longest ids that our tables and parameters hold. A longer one exists nowhere and is refused before it is cut off. */
export const ID_LENGTH_MAX = 64;
export const CHUNK_ID_LENGTH_MAX = 200;
/** Longest text that is searched for. */
export const TEXT_LENGTH_MAX = 400;
