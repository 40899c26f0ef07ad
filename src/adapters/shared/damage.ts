import { PortFailure } from '../../application/ports/failures';

/** Where something lies that cannot be what was written; what is not known stays out. */
export interface DamagedPlace {
  readonly path: string;
  readonly table?: string;
  /** `row 100`, `event 3 of stream dpRecord-12:100`. */
  readonly item?: string;
  readonly facts?: Readonly<Record<string, string | number>>;
}

export const DAMAGE_REMEDY =
  'restore it from a backup, then run: datapump history verify (docs/runbooks/history-tampered.md)';

/** Names the file, the table, the thing and the remedy. `why` holds no value that was stored: it may be anything. */
export function damagedFailure(step: string, place: DamagedPlace, why: string, cause?: unknown): PortFailure {
  const { path, table, item, facts } = place;
  const where = [path, ...(table === undefined ? [] : [`table ${table}`]), ...(item === undefined ? [] : [item])].join(
    ', ',
  );
  return new PortFailure(`${step}: ${where} is damaged (${why}): ${DAMAGE_REMEDY}`, {
    code: 'storage-damaged',
    retryable: false,
    facts: { path, ...(table === undefined ? {} : { table }), ...facts },
    cause,
  });
}
