import { Dice } from '../../world/dice';
import { type Mutation, mutationsOf, type Operator, OPERATORS } from './mutations';

export interface Drawn {
  readonly file: string;
  readonly mutation: Mutation;
}

/** The parts of the product that a score is kept for; the first that a path begins with is its part. */
export const PARTS = [
  'src/domain',
  'src/application',
  'src/adapters/biller-http',
  'src/adapters/sqlite',
  'src/adapters/event-store-db',
  'src/adapters/service-bus',
  'src/adapters/sql-server',
  'src/adapters/redis',
  'src/adapters/messages',
  'src/adapters/biller-profiles',
  'src/adapters/shared',
] as const;
export type Part = (typeof PARTS)[number];

export const partOf = (file: string): Part | undefined => PARTS.find((part) => file.startsWith(`${part}/`));

/**
 * Part by part in turns, and in each an operator by turns, then a place that the dice choose: so that neither the
 * biggest folder nor the commonest operator takes the whole sample. No place twice.
 */
export function draw(
  sources: ReadonlyMap<string, string>,
  { count, seed, parts }: { readonly count: number; readonly seed: number; readonly parts: readonly Part[] },
): readonly Drawn[] {
  const dice = new Dice(seed);
  const places = new Map<Part, Map<Operator, Drawn[]>>(
    parts.map((part) => [part, new Map(OPERATORS.map((operator) => [operator, []]))]),
  );
  for (const [file, text] of [...sources].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const part = partOf(file);
    if (part === undefined || !places.has(part)) continue;
    for (const mutation of mutationsOf(text)) places.get(part)!.get(mutation.operator)!.push({ file, mutation });
  }
  const drawn: Drawn[] = [];
  for (let turn = 0; drawn.length < count; turn++) {
    const before = drawn.length;
    for (const [part, byOperator] of places) {
      const left = OPERATORS.filter((operator) => byOperator.get(operator)!.length > 0);
      if (left.length === 0 || drawn.length >= count) continue;
      const operator = left[(turn + dice.between(0, left.length - 1, `operator of ${part} ${turn}`)) % left.length]!;
      const choices = byOperator.get(operator)!;
      drawn.push(...choices.splice(dice.between(0, choices.length - 1, `place of ${part} ${turn}`), 1));
    }
    if (drawn.length === before) break;
  }
  return drawn;
}
