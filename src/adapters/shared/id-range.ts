import { type DpId } from '../../domain/identifiers';

/** Smallest and largest id: as numbers where all are numbers, else as text. Information for people; a chunk's id is the truth. */
export function rangeOf(dpIds: readonly DpId[]): { readonly dpStart: DpId; readonly dpEnd: DpId } {
  const numeric = dpIds.every((dpId) => /^\d+$/.test(dpId));
  const before = (a: DpId, b: DpId): boolean => (numeric ? BigInt(a) < BigInt(b) : a < b);
  return {
    dpStart: dpIds.reduce((smallest, dpId) => (before(dpId, smallest) ? dpId : smallest)),
    dpEnd: dpIds.reduce((largest, dpId) => (before(largest, dpId) ? dpId : largest)),
  };
}
