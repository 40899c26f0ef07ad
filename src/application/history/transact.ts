import { VersionConflict } from '../ports/failures';

/** So many turns may be lost to other writers in a row: streams are short and turns are quick, more is a defect. */
export const CONFLICTS_MAX = 8;

/**
 * Reads, decides and appends, once more where somebody else wrote between the reading and the append. `turn` reads what
 * it decides on anew whenever `conflicts`, the turns lost so far, is above 0. Lost too often, the last VersionConflict is
 * thrown: nothing was written, and whoever asked comes again.
 */
export async function transact<Result>(turn: (conflicts: number) => Promise<Result>): Promise<Result> {
  for (let conflicts = 0; ; conflicts++) {
    try {
      return await turn(conflicts);
    } catch (error) {
      if (!(error instanceof VersionConflict) || conflicts >= CONFLICTS_MAX) throw error;
    }
  }
}
