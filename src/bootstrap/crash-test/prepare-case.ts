import { Database } from '../../adapters/shared/sqlite-driver';
import { join } from 'node:path';
import { recordMessage, firstLink } from '../../application/messaging/message-chain';
import { type MessageSource } from '../../application/ports/message-bus';
import { FETCHER_SUBSCRIPTION, OUTBOX_TOPIC } from '../../application/messaging/topology';
import { type DataType } from '../../domain/biller/data-type';
import { shardName } from '../../domain/identifiers';
import { TOKENS } from '../container/tokens';
import { type ProcessKind } from '../processes/run-process';
import { changedPayments } from './crash-data-set';
import { type Preparation } from './crash-cases';
import { type CrashRun, UNARMED } from './crash-run';

const SCANNER: ProcessKind = { process: 'scanner' };
const FETCHER: ProcessKind = { process: 'fetcher' };
const CHUNKS: MessageSource = { topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION };
/** Records that another team's publisher tells of before our scanner finds them. */
const FOREIGN_RECORDS = 4;
const DROPS_BEFORE_ROW_BY_ROW = 2;
const RECEIVE_MAX = 200;
const RECEIVE_WAIT_MS = 50;
const RECEIVES_MAX = 1_000;
const LONG_AGO = '2020-01-01T00:00:00.000Z';

/** Brings the data set to where the armed process will pass its point. */
export async function prepareCase(run: CrashRun, preparation: Preparation): Promise<void> {
  await publishAsAnotherTeam(run);
  switch (preparation) {
    case 'lost-messages':
      await run.while([SCANNER], UNARMED, () => run.until('every chunk is on the bus', () => allRelayed(run)));
      await takeAll(run, CHUNKS, (index) => (index % 2 === 0 ? 'lose' : 'put back'));
      await run.while([FETCHER], UNARMED, () =>
        run.until('the other chunks are fetched', async () => (await waiting(run, CHUNKS)) === 0),
      );
      await takeAll(run, recordsOf(run, run.dataTypes[0]!), () => 'lose');
      letAnHourPass(run);
      return;
    case 'dropped-chunks':
      await run.while([SCANNER], UNARMED, () => run.until('every chunk is on the bus', () => allRelayed(run)));
      for (let drops = 0; drops < DROPS_BEFORE_ROW_BY_ROW; drops++) await takeAll(run, CHUNKS, () => 'put back');
      return;
    case 'given-up-messages':
      await untilFetched(run);
      // The broker gives a message up once it was put back too often; then none is left to take.
      for (
        let takes = 0;
        (await waiting(run, recordsOf(run, run.dataTypes[0]!))) > 0 && takes < RECEIVES_MAX;
        takes++
      ) {
        await takeAll(run, recordsOf(run, run.dataTypes[0]!), () => 'put back');
      }
      return;
    case 'changed-payments':
      await untilFetched(run);
      for (const { shard, paymentId, invoiceType } of changedPayments(run.data.records)) {
        inShard(run, shard, (database) =>
          database.prepare('UPDATE Payment SET InvoiceType = ? WHERE PaymentId = ?').run(invoiceType, paymentId),
        );
      }
      return;
    default:
      // Nothing, or what is a matter of arming.
      return;
  }
}

const untilFetched = (run: CrashRun): Promise<void> =>
  run.while([SCANNER, FETCHER], UNARMED, () =>
    run.until('every row is fetched', async () => {
      const totals = (
        await Promise.all(
          run.container
            .get(TOKENS.shards)
            .all()
            .map((shard) => shard.totals()),
        )
      ).flat();
      return (
        totals.every(({ status }) => status !== 'New' && status !== 'Queued') && (await waiting(run, CHUNKS)) === 0
      );
    }),
  );

/** Rows without progress look as if they had stood still for long: the sweep's wait is a minute at least. */
export function letAnHourPass(run: CrashRun): void {
  for (const { name } of run.container.get(TOKENS.shards).all()) {
    inShard(run, name, (database) =>
      database
        .prepare(`UPDATE datapump SET ProgressAt = ? WHERE Status IN ('Queued', 'Published', 'InDoubt')`)
        .run(LONG_AGO),
    );
  }
}

/** For what nobody but another system or time itself does to a shard. */
export function inShard(run: CrashRun, shard: string, work: (database: Database) => unknown): void {
  const database = new Database(join(run.files.folder, 'shards', `${shard}.sqlite`), { timeout: 5_000 });
  try {
    work(database);
  } finally {
    database.close();
  }
}

async function publishAsAnotherTeam(run: CrashRun): Promise<void> {
  const { eventsTopic } = run.container.get(TOKENS.topology);
  const records = run.data.records
    .filter(({ manifest }) => manifest.end === 'delivered' && manifest.dataType === run.dataTypes[0])
    .slice(0, FOREIGN_RECORDS);
  await run.container.get(TOKENS.bus).send(
    eventsTopic,
    records.map(({ manifest: { record, billerId, dataType }, row, biller }) =>
      recordMessage(
        {
          dpId: row.dpId,
          billerId,
          eventType: dataType,
          occurredAt: row.createdAt,
          version: 1,
          traceId: record,
          messageId: record,
          source: { shard: shardName(biller.shard), table: 'dbo.datapump' },
        },
        { link: firstLink, tenant: billerId, traceparent: undefined, target: undefined },
      ),
    ),
  );
}

const recordsOf = (run: CrashRun, dataType: DataType): MessageSource => {
  const { eventsTopic, subscriptions } = run.container.get(TOKENS.topology);
  return { topic: eventsTopic, subscription: subscriptions[dataType] };
};

const waiting = async (run: CrashRun, source: MessageSource): Promise<number> =>
  (await run.container.get(TOKENS.bus).depth(source)).active;

async function allRelayed(run: CrashRun): Promise<boolean> {
  const shards = run.container.get(TOKENS.shards).all();
  const totals = (await Promise.all(shards.map((shard) => shard.totals()))).flat();
  const unpublished = (await Promise.all(shards.map((shard) => shard.unpublishedChunks(1)))).flat();
  return unpublished.length === 0 && totals.every(({ status }) => status !== 'New') && (await waiting(run, CHUNKS)) > 0;
}

/** Each message that is there now, once, as by a consumer that drops it or by a broker that forgets it. */
async function takeAll(
  run: CrashRun,
  source: MessageSource,
  fate: (index: number) => 'lose' | 'put back',
): Promise<void> {
  const receiver = run.container.get(TOKENS.bus).receiver(source);
  const taken = [];
  for (let receives = 0; receives < RECEIVES_MAX; receives++) {
    const messages = await receiver.receive({ max: RECEIVE_MAX, waitMs: RECEIVE_WAIT_MS });
    if (messages.length === 0) break;
    taken.push(...messages);
  }
  await Promise.all(
    taken.map((message, index) => (fate(index) === 'lose' ? receiver.complete(message) : receiver.abandon(message))),
  );
  await receiver.close();
}
