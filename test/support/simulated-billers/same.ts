import { isDeepStrictEqual } from 'node:util';

/** `expect` takes a stack each time, which is most of the time of a case; so it is asked only what is in doubt. */
export function same(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}
