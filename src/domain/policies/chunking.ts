import { type DataType, isDataType } from '../biller/data-type';
import { type BillerId, type DpId, isId } from '../identifiers';
import { invariant } from '../invariant';

export interface ClaimedRow {
  readonly dpId: DpId;
  readonly billerId: BillerId;
  readonly dataType: DataType;
}

export interface PlannedChunk {
  readonly billerId: BillerId;
  readonly dataType: DataType;
  readonly dpIds: readonly DpId[];
}

/**
 * Cuts claimed rows per biller and data type into chunks of at most `chunkSizeMax`, in the order given. A row whose id or
 * type is none is left out, and stays New: its chunk's message would break its contract, and take the sound rows along.
 */
export function planChunks(rows: readonly ClaimedRow[], chunkSizeMax: number): readonly PlannedChunk[] {
  invariant(chunkSizeMax >= 1, `a chunk holds at least one row, chunkSizeMax is ${chunkSizeMax}`);
  const groups = new Map<string, { billerId: BillerId; dataType: DataType; dpIds: DpId[] }>();
  for (const row of rows) {
    if (!isId(row.dpId) || !isDataType(row.dataType)) continue;
    const name = `${row.billerId}:${row.dataType}`;
    const group = groups.get(name) ?? { billerId: row.billerId, dataType: row.dataType, dpIds: [] };
    group.dpIds.push(row.dpId);
    groups.set(name, group);
  }
  return [...groups.values()].flatMap(({ billerId, dataType, dpIds }) =>
    Array.from({ length: Math.ceil(dpIds.length / chunkSizeMax) }, (_, part) => ({
      billerId,
      dataType,
      dpIds: dpIds.slice(part * chunkSizeMax, (part + 1) * chunkSizeMax),
    })),
  );
}
