/** What is no number of things where 1 to `max` are allowed. */
export const noSizes = (max: number): readonly number[] => [0, -1, 1.5, max + 1, Number.NaN, Number.POSITIVE_INFINITY];
