import jsonata from 'jsonata';
import { NOT_PLAIN, plainExpression } from './plain-expression';

// A worker thread needs it as plain JavaScript; with a declaration beside it the build would not take it along.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { LinearRegularExpression } = require('./linear-regular-expression.cjs') as {
  readonly LinearRegularExpression: RegExpConstructor;
};

/** A part of an expression that must come to something, by its place in the syntax tree. */
export interface MemberGuard {
  readonly path: readonly string[];
  /** What fails there, in words that hold names of the profile and no data. */
  readonly what: string;
}

// eslint-disable-next-line @typescript-eslint/no-require-imports
const { MissingValue, guardMembers } = require('./member-guards.cjs') as {
  /** A value that a request needs is not there. Its message holds names of the profile and of the context, never data. */
  readonly MissingValue: new (message: string) => TypeError;
  readonly guardMembers: (expression: jsonata.Expression, guards: readonly MemberGuard[]) => void;
};

export { MissingValue };

/** A JSONata expression of a profile, compiled once. */
export interface Expression {
  /** Undefined where the expression finds nothing. Throws what JSONata throws; the message may hold data: keep it from logs. */
  evaluate(context: unknown): Promise<unknown>;
}

/** Deep recursion and long sequences stop here and count as a failed evaluation, wherever it is done. */
export const EVALUATION_GUARDS = { stack: 200, sequence: 10_000 };
/** Without a thread that could be ended, JSONata looks at the clock itself, now and then. */
const IN_PROCESS = { ...EVALUATION_GUARDS, timeout: 1_000, RegexEngine: LinearRegularExpression };
/** Evaluates what is not plain where it can be stopped by force. */
export type EvaluateElsewhere = (text: string, context: unknown, guards: readonly MemberGuard[]) => Promise<unknown>;
/** Equal row, profile and key must give equal bytes, so an expression may not ask for the time or for chance. */
const FORBIDDEN = new Set(['now', 'millis', 'random', 'shuffle', 'eval']);

/**
 * Plain expressions are done here at once; any other `elsewhere`, or here where that is left out. `guardsOf` names the
 * parts that must come to something; the plain way is chosen by the tree as it was written, and knows no guards.
 */
export function compileExpression(
  text: string,
  elsewhere?: EvaluateElsewhere,
  guardsOf: (tree: unknown) => readonly MemberGuard[] = () => [],
): Expression {
  const compiled = jsonata(text, IN_PROCESS);
  const tree = compiled.ast();
  const forbidden = forbiddenFunction(tree);
  if (forbidden !== undefined)
    throw new SyntaxError(`$${forbidden}() is not allowed: the same record must give the same bytes`);
  demandLinear(tree);
  const plain = plainExpression(tree);
  const guards = guardsOf(tree);
  if (!elsewhere) guardMembers(compiled, guards);
  const evaluate = (context: unknown): Promise<unknown> =>
    elsewhere ? elsewhere(text, context, guards) : compiled.evaluate(context);
  if (!plain) return { evaluate };
  return {
    evaluate: (context) => {
      const value = plain(context);
      return value === NOT_PLAIN ? evaluate(context) : Promise.resolve(value);
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

/** Of every regular expression in the tree: one that needs more than linear time is refused, not found out by an answer. */
function demandLinear(node: unknown): void {
  if (typeof node !== 'object' || node === null) return;
  const { type, value } = node as { type?: unknown; value?: unknown };
  if (type === 'regex' && value instanceof RegExp) {
    try {
      new LinearRegularExpression(value);
    } catch (error) {
      throw new SyntaxError(
        `the regular expression /${value.source}/ cannot be matched in linear time (${(error as Error).message}): ` +
          'write it without references back to groups, without looking ahead or behind, and with counts up to 1000',
      );
    }
  }
  for (const child of Object.values(node)) demandLinear(child);
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
