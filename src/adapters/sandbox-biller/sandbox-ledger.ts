import { type Database, type Statement } from 'better-sqlite3';
import { type DataType } from '../../domain/biller/data-type';
import { instantFromMs } from '../../domain/instant';
import { GroupCommit } from './group-commit';
import { type FaultKind } from './sandbox-faults';
import { openLedgerFile } from './sandbox-ledger-schema';

/** One request that reached the business side of a biller. */
export interface Submission {
  readonly billerId: string;
  readonly dataType: DataType;
  readonly reference: string;
  readonly account: string;
  readonly amountMinorUnits: number | undefined;
  readonly currency: string | undefined;
  /** Only where the biller has keys. */
  readonly idempotencyKey: string | undefined;
}

export interface StoredKey {
  readonly bodyHash: string;
  /** Undefined: still in flight. */
  readonly answered: { readonly status: number; readonly answer: string } | undefined;
}

export interface LateEffect extends Omit<Submission, 'account'> {
  readonly lateId: number;
  readonly declineCode: string | undefined;
  readonly dueMs: number;
}

/** `token-expired` is no drawn fault, but the proof counts it among them. */
export type RecordedFault = FaultKind | 'token-expired';

type Row = Record<string, string | number | null>;

/**
 * The biller's books, in one SQLite file with one writing process. All calls are synchronous; what they wrote is on
 * disk when `afterCommit` runs its argument. Nothing is kept in memory per record.
 */
export class SandboxLedger {
  private readonly database: Database;
  private readonly commits: GroupCommit;
  private nextEffectId: number;
  private readonly statements = new Map<string, Statement>();

  constructor(file: string, onFailure: (error: Error) => void) {
    this.database = openLedgerFile(file);
    this.commits = new GroupCommit(this.database, onFailure);
    this.nextEffectId =
      1 + (this.sql('SELECT coalesce(max(effect_id), 0) AS last FROM effects').get() as { last: number }).last;
  }

  afterCommit(then: () => void): void {
    this.commits.afterCommit(then);
  }

  close(): void {
    this.commits.flush();
    this.database.close();
  }

  /** How many requests this reference has made, this one included. */
  countOccurrence(billerId: string, reference: string): number {
    return this.commits.write(() => {
      const row = this.sql(
        'INSERT INTO occurrences VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count',
      ).get(billerId, reference);
      return (row as { count: number }).count;
    });
  }

  recordFault(kind: RecordedFault, billerId: string, reference: string, occurrence: number, atMs: number): void {
    this.write('INSERT INTO faults VALUES (?, ?, ?, ?, ?)', kind, billerId, reference, occurrence, instantFromMs(atMs));
  }

  /** Always a new row, whatever the reference did before. Returns the biller's own reference. */
  recordEffect(effect: Omit<Submission, 'account'>, atMs: number, cause: string): string {
    const effectId = this.nextEffectId++;
    const billerReference = `${effect.billerId}-${effectId}`;
    this.write(
      'INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      effectId,
      effect.billerId,
      effect.reference,
      effect.dataType,
      effect.amountMinorUnits ?? null,
      effect.currency ?? null,
      effect.idempotencyKey ?? null,
      billerReference,
      instantFromMs(atMs),
      cause,
    );
    return billerReference;
  }

  recordDecline(billerId: string, reference: string, code: string, atMs: number): void {
    this.write('INSERT INTO declines VALUES (?, ?, ?, ?)', billerId, reference, code, instantFromMs(atMs));
  }

  /** The key, unless its first use is not after `firstUsedAfterMs`: then the biller has forgotten it. */
  findKey(billerId: string, key: string, firstUsedAfterMs: number): StoredKey | undefined {
    const row = this.sql(
      'SELECT body_hash, status, answer FROM idempotency_keys WHERE biller_id = ? AND key = ? AND first_used_ms > ?',
    ).get(billerId, key, firstUsedAfterMs) as Row | undefined;
    if (row === undefined) return undefined;
    const answered =
      row['status'] === null ? undefined : { status: row['status'] as number, answer: row['answer'] as string };
    return { bodyHash: row['body_hash'] as string, answered };
  }

  /** First use of a key, replacing one that was forgotten. */
  storeKey(
    billerId: string,
    key: string,
    bodyHash: string,
    firstUsedMs: number,
    answered: StoredKey['answered'],
  ): void {
    this.write(
      'INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)',
      billerId,
      key,
      bodyHash,
      firstUsedMs,
      answered?.status ?? null,
      answered?.answer ?? null,
    );
  }

  answerKey(billerId: string, key: string, answered: { readonly status: number; readonly answer: string }): void {
    this.write(
      'UPDATE idempotency_keys SET status = ?, answer = ? WHERE biller_id = ? AND key = ? AND status IS NULL',
      answered.status,
      answered.answer,
      billerId,
      key,
    );
  }

  storeLateEffect(late: Omit<LateEffect, 'lateId'>, requestedMs: number, seenAsPending: boolean): void {
    this.write(
      'INSERT INTO late_effects VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      late.billerId,
      late.reference,
      late.dataType,
      late.amountMinorUnits ?? null,
      late.currency ?? null,
      late.idempotencyKey ?? null,
      late.declineCode ?? null,
      requestedMs,
      late.dueMs,
      seenAsPending ? 1 : 0,
    );
  }

  /** Infinity where nothing is waiting. */
  nextLateEffectDueMs(): number {
    return (this.sql('SELECT min(due_ms) AS due FROM late_effects').get() as { due: number | null }).due ?? Infinity;
  }

  /** Removes and returns what is due, in the transaction in which the caller records it. */
  takeLateEffectsDue(nowMs: number, max: number): readonly LateEffect[] {
    const rows = this.sql('SELECT * FROM late_effects WHERE due_ms <= ? ORDER BY due_ms LIMIT ?').all(
      nowMs,
      max,
    ) as Row[];
    for (const row of rows) this.write('DELETE FROM late_effects WHERE late_id = ?', row['late_id'] as number);
    return rows.map((row) => ({
      lateId: row['late_id'] as number,
      billerId: row['biller_id'] as string,
      dataType: row['data_type'] as DataType,
      reference: row['reference'] as string,
      amountMinorUnits: (row['amount_minor_units'] ?? undefined) as number | undefined,
      currency: (row['currency'] ?? undefined) as string | undefined,
      idempotencyKey: (row['idempotency_key'] ?? undefined) as string | undefined,
      declineCode: (row['decline_code'] ?? undefined) as string | undefined,
      dueMs: row['due_ms'] as number,
    }));
  }

  /** What an inquiry sees of a reference: only what stood at `seenUntilMs`. The first effect speaks for all. */
  findOutcome(billerId: string, reference: string, seenUntilMs: number): SeenOutcome {
    const until = instantFromMs(seenUntilMs);
    const effect = this.sql(
      'SELECT biller_reference, amount_minor_units FROM effects WHERE biller_id = ? AND reference = ? AND at <= ? ORDER BY effect_id LIMIT 1',
    ).get(billerId, reference, until) as Row | undefined;
    if (effect !== undefined) {
      const amount = (effect['amount_minor_units'] ?? undefined) as number | undefined;
      return { state: 'posted', reference: effect['biller_reference'] as string, amountMinorUnits: amount };
    }
    const declined = this.sql('SELECT 1 FROM declines WHERE biller_id = ? AND reference = ? AND at <= ? LIMIT 1').get(
      billerId,
      reference,
      until,
    );
    if (declined !== undefined) return { state: 'declined' };
    const pending = this.sql(
      'SELECT 1 FROM late_effects WHERE biller_id = ? AND reference = ? AND requested_ms <= ? AND seen_as_pending = 1 LIMIT 1',
    ).get(billerId, reference, seenUntilMs);
    return { state: pending === undefined ? 'absent' : 'pending' };
  }

  totals(): {
    readonly effects: number;
    readonly declines: number;
    readonly lateEffectsPending: number;
    readonly faults: Record<string, number>;
  } {
    const count = (table: string) => (this.sql(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
    const faults = this.sql('SELECT kind, count(*) AS n FROM faults GROUP BY kind ORDER BY kind').all() as {
      kind: string;
      n: number;
    }[];
    return {
      effects: count('effects'),
      declines: count('declines'),
      lateEffectsPending: count('late_effects'),
      faults: Object.fromEntries(faults.map(({ kind, n }) => [kind, n])),
    };
  }

  private write(sql: string, ...values: readonly (string | number | null)[]): void {
    this.commits.write(() => this.sql(sql).run(...values));
  }

  private sql(text: string): Statement {
    let statement = this.statements.get(text);
    if (statement === undefined) this.statements.set(text, (statement = this.database.prepare(text)));
    return statement;
  }
}

export type SeenOutcome =
  | { readonly state: 'posted'; readonly reference: string; readonly amountMinorUnits: number | undefined }
  | { readonly state: 'declined' | 'pending' | 'absent' };
