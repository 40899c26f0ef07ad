import { type PackedEvent } from '../ports/seal-cryptography';

/** What one event, or one seal, has against what was sealed. */
export interface HistoryDifference {
  readonly kind:
    'changed' | 'missing' | 'added' | 'moved' | 'hidden' | 'range' | 'unreadable' | 'seal' | 'copy' | 'signature';
  /** The seal whose range it lies in. */
  readonly seal: number | undefined;
  readonly stream?: string;
  readonly revision?: string;
  readonly what: string;
}

export interface ActualEvent extends PackedEvent {
  readonly type: string;
  readonly position: string;
  readonly oddity: string | undefined;
}

/** Names every event in which a range differs from the list that was sealed of it; both hold a seal's events at most, or a few times so many. */
export function compareSealed(
  seal: number,
  expected: readonly PackedEvent[],
  actual: readonly ActualEvent[],
): readonly HistoryDifference[] {
  const sealed = new Map(expected.map((event, place) => [event.name, { leaf: event.leaf, place }]));
  const present = new Set(actual.map(({ name }) => name));
  const differences: HistoryDifference[] = [];
  const told = (kind: HistoryDifference['kind'], name: string, what: string) =>
    differences.push({ kind, seal, ...namedParts(name), what });

  const seen = new Set<string>();
  for (const { name, leaf, type, position } of actual) {
    const before = sealed.get(name);
    if (!before || seen.has(name))
      told('added', name, `${type} at position ${position} was not there when it was sealed`);
    else if (before.leaf !== leaf)
      told('changed', name, `${type} is not what was sealed: its id, type, data or metadata was changed`);
    seen.add(name);
  }
  for (const [place, { name }] of expected.entries())
    if (!present.has(name)) told('missing', name, `event ${place + 1} of the ${expected.length} sealed is gone`);
  if (differences.length > 0) return differences;

  for (const [place, { name, type }] of actual.entries()) {
    const before = sealed.get(name)!.place;
    if (before !== place)
      told('moved', name, `${type} stands at place ${place + 1} of its range and was sealed at place ${before + 1}`);
  }
  return differences;
}

function namedParts(name: string): { readonly stream: string; readonly revision: string } {
  const at = name.lastIndexOf('@');
  return { stream: name.slice(0, at), revision: name.slice(at + 1) };
}
