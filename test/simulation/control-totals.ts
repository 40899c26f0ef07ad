import { SqliteRecordProjection } from '../../src/adapters/sqlite/sqlite-record-projection';
import { type EventStore } from '../../src/application/ports/event-store';
import { type Shard } from '../../src/application/ports/shard';
import { controlTotals } from '../../src/application/queries/control-totals';
import { projectRecords } from '../../src/application/queries/project-records';
import { compareStatement } from '../../src/application/queries/compare-statement';
import { type RecordProjection } from '../../src/application/ports/record-projection';
import { type BillerId, type RecordKey } from '../../src/domain/identifiers';
import { type Day } from '../../src/domain/instant';
import { byPromise } from './world/at-once';
import { type Effect } from './world/biller-world';
import { type World } from './world/world';

export interface Balance {
  /** Billers whose statement sums up to something else than our totals. */
  readonly statements: readonly string[];
  /** What a statement says line by line beside our records: a double and a loss of the same sum are named here alone. */
  readonly lines: readonly string[];
  /** When nothing moves any more nothing should be open. */
  readonly open: readonly string[];
}

interface Sum {
  readonly count: number;
  /** Minor units by currency: money of two currencies is never added. */
  readonly amounts: Readonly<Record<string, number>>;
}

/**
 * The product's own control totals against each biller's ledger, as an operator lays `control-totals` beside the
 * biller's statement: what it posted must be what we call delivered, but for what is still listed in doubt.
 */
export async function balance(world: World): Promise<Balance> {
  const projection = new SqliteRecordProjection({ path: ':memory:' });
  try {
    await projectRecords({ eventStore: byPromise<EventStore>(world.store), projection })();
    const shards = world.shards.map((shard) => byPromise<Shard>(shard));
    const totals = await controlTotals({
      shards: {
        all: () => shards,
        named: (name) => shards.find((shard) => shard.name === name)!,
        ofBiller: async () => undefined,
      },
      projection,
    })();
    const statements: string[] = [];
    const lines: string[] = [];
    const open: string[] = [];
    for (const { profile } of world.scenario.billers) {
      const { billerId } = profile;
      const ours = totals.eventStore.filter((line) => line.billerId === billerId);
      const delivered = sumOf(ours.map(({ ends }) => ends.delivered));
      // What is still open may have been posted too: a letter that waits for a person to redrive it, of a row that is gone.
      const inDoubt = sumOf(ours.flatMap(({ ends }) => [ends.inDoubt, ends.open]));
      const posted = world.billers.ledger.filter(({ biller }) => biller === billerId);
      const stated = sumOf(
        posted.map(({ currency, minorUnits }) => ({
          count: 1,
          amounts: currency === undefined ? {} : { [currency]: minorUnits },
        })),
      );
      const explained =
        between(stated.count, delivered.count, inDoubt.count) &&
        [...new Set([stated, delivered, inDoubt].flatMap(({ amounts }) => Object.keys(amounts)))].every((currency) =>
          between(
            ...([stated, delivered, inDoubt].map(({ amounts }) => amounts[currency] ?? 0) as [number, number, number]),
          ),
        );
      lines.push(...(await lineByLine(projection, world, billerId, posted)));
      if (!explained)
        statements.push(
          `biller ${billerId} states ${textOf(stated)}, our totals ${textOf(delivered)} delivered and ${textOf(inDoubt)} in doubt or open`,
        );
      const { count } = sumOf(ours.map(({ ends }) => ends.open));
      if (count > 0) open.push(`${count} records of biller ${billerId} are still open`);
    }
    return { statements, lines, open };
  } finally {
    projection.close();
  }
}

/** The ledger as the biller's statement of all days, compared by the product. */
async function lineByLine(
  projection: RecordProjection,
  { digest }: World,
  billerId: BillerId,
  posted: readonly Effect[],
): Promise<readonly string[]> {
  const { findings, missing } = await compareStatement({ projection, digest })({
    billerId,
    covers: { from: '1970-01-01' as Day, to: '2099-12-31' as Day },
    lines: posted.map(({ record, currency, minorUnits }, index) => ({
      line: index + 1,
      record: record as RecordKey,
      outcome: 'posted',
      ...(currency === undefined ? {} : { amount: { minorUnits, currency } }),
    })),
  });
  return [
    ...findings
      .filter(({ verdict }) => verdict !== 'agrees' && verdict !== 'settles')
      .map((finding) => `${'record' in finding ? finding.record : 'a record that is none'}: ${finding.verdict}`),
    ...missing.map((record) => `${record}: delivered, and in no line`),
  ];
}

function sumOf(parts: readonly Sum[]): Sum {
  const amounts: Record<string, number> = {};
  for (const part of parts)
    for (const [currency, minorUnits] of Object.entries(part.amounts))
      amounts[currency] = (amounts[currency] ?? 0) + minorUnits;
  return { count: parts.reduce((sum, { count }) => sum + count, 0), amounts };
}

const between = (stated: number, delivered: number, inDoubt: number): boolean =>
  delivered <= stated && stated <= delivered + inDoubt;

const textOf = ({ count, amounts }: Sum): string => `${count} (${JSON.stringify(amounts)} in minor units)`;
