import { billerId, type BillerId } from '../../domain/identifiers';
import { type LetterKind } from '../../application/queries/list-dead-letters';

/** Readers of arguments: what is wrong goes to the list of the command's problems, so that all are told at once. */
export function billerIdOf(text: string, where: string, problems: string[]): BillerId | undefined {
  try {
    return billerId(text);
  } catch (error) {
    problems.push(`${where}: ${(error as Error).message}`);
  }
  return undefined;
}

export function wholeNumberOf(
  text: string,
  where: string,
  { min, max }: { readonly min: number; readonly max: number },
  problems: string[],
): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    problems.push(`${where}: found ${JSON.stringify(text)}, expected a whole number from ${min} to ${max}`);
  return value;
}

export function letterKindIn(text: string, kinds: readonly LetterKind[], problems: string[]): LetterKind | undefined {
  const found = kinds.find((kind) => kind.toLowerCase() === text.toLowerCase());
  if (!found)
    problems.push(
      `--type: found ${JSON.stringify(text)}, expected one of ${kinds.map((kind) => kind.toLowerCase()).join(', ')}`,
    );
  return found;
}
