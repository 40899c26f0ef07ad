/**
 * An id that another team wrote as a JSON number, as text; anything else unchanged, for the check that follows.
 * A number beyond 2^53-1 has lost digits already, and a fraction is no id: both stay numbers, and the check refuses them.
 */
export const idText = (value: unknown): unknown => (Number.isSafeInteger(value) ? String(value) : value);
