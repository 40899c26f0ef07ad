/** Further away than this is another word, not a slip of the pen. */
const DISTANCE_MAX = 3;

/** `; did you mean customer.accountNumber?`, or nothing where no name is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

/** The name nearest to a mistyped one: equal but for case, or the last part of a path, or a few letters away. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const low = name.toLowerCase();
  const equal = known.find((one) => one.toLowerCase() === low) ?? known.find((one) => lastPart(one) === lastPart(low));
  if (equal !== undefined) return equal;
  const allowed = Math.min(DISTANCE_MAX, Math.max(1, Math.floor(low.length / 2)));
  const near = known
    .map((one) => ({ one, distance: distance(low, one.toLowerCase()) }))
    .filter((candidate) => candidate.distance <= allowed)
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.one;
}

const lastPart = (path: string): string => path.slice(path.lastIndexOf('.') + 1).toLowerCase();

/** Letters to add, drop or change. Names are short, so the quadratic table is. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    above = row;
  }
  return above[b.length]!;
}
