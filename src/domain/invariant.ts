/** A broken belief: something the code relies on turned out false. Nobody handles it; the unit of work stops. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** Stops the unit of work when a belief is false. On in production. */
export function invariant(condition: unknown, belief: string): asserts condition {
  if (!condition) throw new InvariantViolation(belief);
}
