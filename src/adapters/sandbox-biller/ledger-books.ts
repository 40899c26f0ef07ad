import Database from 'better-sqlite3';
import { type RecordKey } from '../../domain/identifiers';
import { type FaultKind } from './sandbox-faults';

export interface BookedReference {
  readonly billerId: string;
  readonly reference: RecordKey;
  readonly count: number;
}

/** All effects of one reference. Amount, currency and data type are of the first; `agree` tells whether all are alike. */
export interface BookedEffects extends BookedReference {
  readonly dataType: string;
  readonly amountMinorUnits: number | undefined;
  readonly currency: string | undefined;
  readonly agree: boolean;
}

/** After these the client heard a clear answer, so they excuse no doubt. */
const CLEAR: readonly FaultKind[] = ['latency', 'throttled-429'];
const CACHE_KIB = 4_000;

/**
 * The sandbox's ledger for whoever proves a run: a connection that cannot write, in pages, each reference once, in the
 * order of (biller, reference).
 */
export class LedgerBooks {
  private readonly database: Database.Database;

  constructor(file: string) {
    this.database = new Database(file, { readonly: true, fileMustExist: true, timeout: 5_000 });
    this.database.pragma(`cache_size = -${CACHE_KIB}`);
  }

  effects(after: BookedReference | undefined, max: number): readonly BookedEffects[] {
    const rows = this.database
      .prepare(
        `SELECT biller_id AS billerId, reference, count(*) AS count, min(effect_id), data_type AS dataType,
           amount_minor_units AS amountMinorUnits, currency,
           count(DISTINCT data_type) = 1 AND count(DISTINCT coalesce(amount_minor_units, '') || coalesce(currency, '')) = 1 AS agree
         FROM effects WHERE (biller_id, reference) > (?, ?) GROUP BY biller_id, reference ORDER BY biller_id, reference LIMIT ?`,
      )
      .all(after?.billerId ?? '', after?.reference ?? '', max) as (Omit<BookedEffects, 'agree'> & {
      readonly agree: number;
      readonly amountMinorUnits: number | null;
      readonly currency: string | null;
    })[];
    return rows.map((row) => ({
      billerId: row.billerId,
      reference: row.reference,
      count: row.count,
      dataType: row.dataType,
      amountMinorUnits: row.amountMinorUnits ?? undefined,
      currency: row.currency ?? undefined,
      agree: row.agree === 1,
    }));
  }

  declines(after: BookedReference | undefined, max: number): readonly BookedReference[] {
    return this.database
      .prepare(
        `SELECT biller_id AS billerId, reference, count(*) AS count FROM declines
         WHERE (biller_id, reference) > (?, ?) GROUP BY biller_id, reference ORDER BY biller_id, reference LIMIT ?`,
      )
      .all(after?.billerId ?? '', after?.reference ?? '', max) as BookedReference[];
  }

  /** How often each kind of fault fired. */
  faults(): Readonly<Record<string, number>> {
    const rows = this.database
      .prepare('SELECT kind, count(*) AS count FROM faults GROUP BY kind ORDER BY kind')
      .all() as { kind: string; count: number }[];
    return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]));
  }

  /** References that met a fault which leaves the client without a clear answer; in their order. */
  unclearReferences(after: string | undefined, max: number): readonly RecordKey[] {
    return this.database
      .prepare(
        `SELECT DISTINCT reference FROM faults WHERE reference > ? AND reference <> '' AND kind NOT IN (${CLEAR.map(() => '?').join(', ')}, 'token-expired')
         ORDER BY reference LIMIT ?`,
      )
      .pluck()
      .all(after ?? '', ...CLEAR, max) as RecordKey[];
  }

  /** Effects still to come; a proof before they landed would prove nothing. */
  lateEffectsPending(): number {
    return this.database.prepare('SELECT count(*) FROM late_effects').pluck().get() as number;
  }

  close(): void {
    this.database.close();
  }
}
