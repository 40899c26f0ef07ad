import { SqliteRecordProjection } from '../../src/adapters/sqlite/sqlite-record-projection';
import { type EventStore } from '../../src/application/ports/event-store';
import { type Shard } from '../../src/application/ports/shard';
import { type ControlLine, controlTotals, type End } from '../../src/application/queries/control-totals';
import { projectRecords } from '../../src/application/queries/project-records';
import { byPromise } from './world/at-once';
import { type World } from './world/world';

export interface Balance {
  /** Billers whose statement says something else than our totals. */
  readonly statements: readonly string[];
  /** When nothing moves any more nothing should be open. */
  readonly open: readonly string[];
}

interface Sum {
  readonly count: number;
  readonly minorUnits: number;
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
    const open: string[] = [];
    for (const { profile } of world.scenario.billers) {
      const { billerId } = profile;
      const lines = totals.eventStore.filter((line) => line.billerId === billerId);
      const delivered = sumOf(lines, 'delivered');
      const inDoubt = sumOf(lines, 'inDoubt');
      const posted = world.billers.ledger.filter(({ biller }) => biller === billerId);
      const stated = { count: posted.length, minorUnits: posted.reduce((sum, { minorUnits }) => sum + minorUnits, 0) };
      const explained =
        between(stated.count, delivered.count, inDoubt.count) &&
        between(stated.minorUnits, delivered.minorUnits, inDoubt.minorUnits);
      if (!explained)
        statements.push(
          `biller ${billerId} states ${textOf(stated)}, our totals ${textOf(delivered)} delivered and ${textOf(inDoubt)} in doubt`,
        );
      const { count } = sumOf(lines, 'open');
      if (count > 0) open.push(`${count} records of biller ${billerId} are still open`);
    }
    return { statements, open };
  } finally {
    projection.close();
  }
}

const sumOf = (lines: readonly ControlLine[], end: End): Sum => ({
  count: lines.reduce((sum, { ends }) => sum + ends[end].count, 0),
  minorUnits: lines.reduce((sum, { ends }) => sum + (ends[end].amounts['USD'] ?? 0), 0),
});

const between = (stated: number, delivered: number, inDoubt: number): boolean =>
  delivered <= stated && stated <= delivered + inDoubt;

const textOf = ({ count, minorUnits }: Sum): string => `${count} (${minorUnits} cents)`;
