import { type ManifestRecord } from '../../adapters/sqlite/sqlite-manifest';
import { type End, endOfRecord, endOfRow } from '../../application/queries/control-totals';
import { carriesMoney } from '../../domain/biller/data-type';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type Money, moneyText } from '../../domain/money';
import { type Difference, type DoubtOrigin } from './proof';
import { type Found } from './proof-sources';

/** Why a record may be in doubt, or why not. */
export type DoubtExcuse =
  { readonly excused: true; readonly origin: DoubtOrigin } | { readonly excused: false; readonly why: string };

const WORDS: Record<End, string> = {
  delivered: 'delivered',
  declined: 'declined',
  rejected: 'rejected',
  skipped: 'skipped',
  withdrawn: 'withdrawn',
  deadLettered: 'dead-lettered',
  inDoubt: 'in doubt',
  open: 'not finished',
};

/**
 * Everything that is wrong with one record: by the manifest, and between the sources. `excuse` is asked only for a
 * record in doubt.
 */
export async function judgeRecord(
  found: Found,
  excuse: (record: ManifestRecord) => Promise<DoubtExcuse>,
): Promise<readonly Difference[]> {
  const { record, manifest, row, projected, effects } = found;
  const differences: Difference[] = [];
  const add = (kind: Difference['kind'], text: string): void => void differences.push({ record, kind, text });
  const count = effects?.count ?? 0;
  if (count > 1) add('doubled', `${count} effects at the biller, at most 1 is allowed`);
  if (!manifest) {
    const where = [row && 'a shard', projected && 'the event store', count > 0 && "the biller's ledger"]
      .filter(Boolean)
      .join(', ');
    add('differs', `the manifest does not know it, found in ${where || 'the ledger'}`);
    return differences;
  }
  if (!row) add('lost', `its row is in no shard, expected ${WORDS[manifest.end]}`);
  if (!projected) add('lost', `it has no stream in the event store, expected ${WORDS[manifest.end]}`);
  const byShard = row && endOfRow(row.status);
  const byStore = projected && endOfRecord(projected.status);
  if (byShard && byStore && byShard !== byStore)
    add('differs', `the shard says ${WORDS[byShard]}, the event store says ${WORDS[byStore]}`);
  for (const end of new Set([byShard, byStore])) {
    if (end === undefined) continue;
    if (end === 'inDoubt') {
      const verdict = await excuse(manifest);
      if (!verdict.excused) add('differs', `in doubt, ${verdict.why}; expected ${WORDS[manifest.end]}`);
    } else if (end === 'open') add('lost', `not finished, expected ${WORDS[manifest.end]}`);
    else if (end !== manifest.end) add('differs', `${WORDS[end]}, expected ${WORDS[manifest.end]}`);
    judgeLedger(end, found, add);
  }
  judgeMoney(manifest, found, add);
  if (row) judgeDetails(row, add);
  return differences;
}

type Add = (kind: Difference['kind'], text: string) => void;

/** Delivered: one effect. In doubt: one at most. Everything else: none. */
function judgeLedger(end: End, { effects, declines }: Found, add: Add): void {
  const count = effects?.count ?? 0;
  if (end === 'delivered' && count === 0)
    add('lost', `said to be delivered, and the biller's ledger has no effect of it`);
  if (end !== 'delivered' && end !== 'inDoubt' && count > 0)
    add('differs', `${WORDS[end]}, and the biller's ledger has ${count} effect(s) of it`);
  if (end === 'declined' && declines === 0)
    add('lost', `said to be declined, and the biller's ledger has no decline of it`);
  if (end !== 'declined' && end !== 'inDoubt' && declines > 0)
    add('differs', `${WORDS[end]}, and the biller's ledger has a decline of it`);
}

function judgeMoney(manifest: ManifestRecord, { row, projected, effects }: Found, add: Add): void {
  const compare = (where: string, amount: Money | undefined): void => {
    if (textOf(amount) !== textOf(manifest.amount))
      add('differs', `${where} has ${textOf(amount)}, the manifest has ${textOf(manifest.amount)}`);
  };
  if (row) compare('the shard', carriesMoney(row.dataType) ? row.payment?.amount : undefined);
  if (projected) compare('the event store', projected.amount);
  if (row && row.dataType !== manifest.dataType)
    add('differs', `the shard says ${row.dataType}, the manifest says ${manifest.dataType}`);
  if (!effects) return;
  const { amountMinorUnits, currency } = effects;
  // A choice moves no money: a currency without an amount is nothing.
  compare(
    "the biller's ledger",
    amountMinorUnits === undefined || currency === undefined ? undefined : { minorUnits: amountMinorUnits, currency },
  );
  if (effects.billerId !== manifest.billerId) add('differs', `its effect is at biller ${effects.billerId}`);
  if (effects.dataType !== manifest.dataType)
    add('differs', `its effect is one of ${effects.dataType}, the manifest says ${manifest.dataType}`);
  if (!effects.agree) add('differs', 'its effects at the biller are not alike');
}

/** The result of an attempt stands in DpDetail, once. */
function judgeDetails({ status, details }: DpRow, add: Add): void {
  const expected = status === 'Delivered' || status === 'Declined' ? 1 : 0;
  if (details.length !== expected)
    add('differs', `its row is ${status} with ${details.length} row(s) in DpDetail, expected ${expected}`);
  for (const { outcome } of details)
    if (expected === 1 && outcome !== status) add('differs', `its row is ${status}, DpDetail says ${outcome}`);
}

const textOf = (amount: Money | undefined): string => (amount ? moneyText(amount) : 'no amount');
