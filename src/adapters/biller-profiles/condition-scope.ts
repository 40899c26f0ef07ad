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
