export interface SettingProblem {
  /** `Section:Name` as found; empty where the file as a whole is the problem. */
  readonly key: string;
  readonly found: unknown;
  readonly expected: string;
  /** The file's path, `environment variable X`, `override` or `default`. */
  readonly where: string;
}

/** One line: key, found value, expectation, where it came from. */
export function problemLine({ key, found, expected, where }: SettingProblem): string {
  const name = key === '' ? 'configuration' : key;
  const what =
    found === undefined
      ? ''
      : `found ${typeof found === 'string' && found.startsWith('<') ? found : JSON.stringify(found)}, `;
  return `${name}: ${what}expected ${expected} (${where})`;
}

/** What a secret's value is shown as. */
export const HIDDEN = '<hidden>';

const DISTANCE_MAX = 4;

/** The known name that takes the fewest changed letters, where that is few enough to be a slip. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return nearest && nearest.distance <= DISTANCE_MAX ? nearest.candidate : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, changed));
    }
    row = next;
  }
  return row[b.length]!;
}
