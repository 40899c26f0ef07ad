import { DAMAGE_REMEDY } from '../shared/damage';
import { isDamaged } from './sqlite-file';

/** Places looked at behind a page that cannot be read, doubling: beyond that the rest is given up. */
const LOOKS_PAST_DAMAGE_MAX = 64;

export interface PastDamage<Line> {
  readonly lines: readonly Line[];
  /** Each stretch that cannot be read, in words. */
  readonly unreadable: readonly string[];
  /** How far was looked; undefined: to the last line. */
  readonly past: bigint | undefined;
}

/**
 * Reads on past pages of a file that SQLite cannot read: one line after the other, and behind each damaged stretch by
 * doubling steps and then by halves. `one` yields the first line behind a place, or undefined where there is none.
 */
export function readPastDamage<Line>(options: {
  readonly after: bigint;
  readonly upTo: bigint;
  readonly max: number;
  readonly one: (after: bigint) => Line | undefined;
  readonly placeOf: (line: Line) => bigint;
  readonly path: string;
  readonly table: string;
}): PastDamage<Line> {
  const { upTo, max, path, table, placeOf } = options;
  const look = (after: bigint): Line | undefined | 'damaged' => {
    try {
      return options.one(after);
    } catch (error) {
      if (isDamaged(error)) return 'damaged';
      throw error;
    }
  };
  const lines: Line[] = [];
  const unreadable: string[] = [];
  let reached = options.after;
  while (lines.length < max && reached < upTo) {
    const found = look(reached);
    if (found === undefined) return { lines, unreadable, past: undefined };
    if (found !== 'damaged') {
      lines.push(found);
      reached = placeOf(found);
      continue;
    }
    const behind = behindDamage(look, reached, upTo);
    const to = behind === undefined ? 'the end' : `position ${behind}`;
    unreadable.push(
      `${path}, table ${table}: what lies behind position ${reached < 0n ? 0n : reached} up to ${to} cannot be read (damaged pages): ${DAMAGE_REMEDY}`,
    );
    reached = behind ?? upTo;
  }
  return { lines, unreadable, past: reached };
}

/** The first place found behind which nothing is damaged; undefined: the rest of the file is lost. */
function behindDamage(look: (after: bigint) => unknown, reached: bigint, upTo: bigint): bigint | undefined {
  let low = reached < 0n ? 0n : reached;
  let step = 1n;
  let high: bigint | undefined;
  for (let looks = 0; looks < LOOKS_PAST_DAMAGE_MAX && high === undefined; looks++, step *= 2n) {
    const place = low + step;
    if (place >= upTo) return undefined;
    const found = look(place);
    if (found === undefined) return undefined;
    if (found !== 'damaged') high = place;
    else low = place;
  }
  if (high === undefined) return undefined;
  while (high - low > 1n) {
    const middle: bigint = (low + high) / 2n;
    if (look(middle) === 'damaged') low = middle;
    else high = middle;
  }
  return high;
}
