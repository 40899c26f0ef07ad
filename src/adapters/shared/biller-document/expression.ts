import jsonata from 'jsonata';
import { NOT_PLAIN, plainExpression } from './plain-expression';

/** A JSONata expression of a profile, compiled once. */
export interface Expression {
  /** Undefined where the expression finds nothing. Throws what JSONata throws; the message may hold data: keep it from logs. */
  evaluate(context: unknown): Promise<unknown>;
}

/** Deep recursion and endless loops in a profile stop here and count as a failed evaluation. */
const GUARDS = { timeout: 1_000, stack: 200, sequence: 10_000 };
/** Equal row, profile and key must give equal bytes, so an expression may not ask for the time or for chance. */
const FORBIDDEN = new Set(['now', 'millis', 'random', 'shuffle', 'eval']);

export function compileExpression(text: string): Expression {
  const compiled = jsonata(text, GUARDS);
  const tree = compiled.ast();
  const forbidden = forbiddenFunction(tree);
  if (forbidden !== undefined)
    throw new SyntaxError(`$${forbidden}() is not allowed: the same record must give the same bytes`);
  const plain = plainExpression(tree);
  if (!plain) return { evaluate: (context) => compiled.evaluate(context) };
  return {
    evaluate: (context) => {
      const value = plain(context);
      return value === NOT_PLAIN ? compiled.evaluate(context) : Promise.resolve(value);
    },
  };
}

/** What is wrong with the text as an expression; undefined where nothing is. */
export function expressionProblem(text: string): string | undefined {
  try {
    compileExpression(text);
    return undefined;
  } catch (error) {
    const { message, position } = error as { message?: string; position?: number };
    return `${message ?? String(error)}${position === undefined ? '' : ` (at character ${position})`}`;
  }
}

function forbiddenFunction(node: unknown): string | undefined {
  if (typeof node !== 'object' || node === null) return undefined;
  const { type, value } = node as { type?: unknown; value?: unknown };
  if (type === 'variable' && typeof value === 'string' && FORBIDDEN.has(value)) return value;
  for (const child of Object.values(node)) {
    const found = forbiddenFunction(child);
    if (found !== undefined) return found;
  }
  return undefined;
}
