import { type BillerId, historyLossStream, type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type Money } from '../../domain/money';
import { type RowStatus } from '../../domain/dp-record/row-status';
import { checkHistory, type HistoryFinding, type HistoryLook } from '../history/check-history';
import { HISTORY_LOOK_MS } from '../history/history-guard';
import { type HistoryLossEvent } from './history-loss-events';
import { type HeldRow, type HoldLostRowPorts, holdLostRow } from '../delivering/hold-lost-row';
import { type OperatorOrder } from './operator-order';
import { type Chance } from '../ports/chance';
import { type Clock } from '../ports/clock';
import { type EventStore, READ_EVENTS_MAX } from '../ports/event-store';
import { PortFailure } from '../ports/failures';
import { type HistoryWitness, type KnownHistory } from '../ports/history-witness';
import { type Shard, type Shards } from '../ports/shard';
import { type ShardTotal } from '../ports/shard-totals';
import { type Telemetry } from '../ports/telemetry';
import { eachBounded } from '../scanning/scan-shards';

export interface AcceptHistoryLossPorts extends HoldLostRowPorts {
  readonly eventStore: EventStore;
  readonly shards: Shards;
  readonly witnesses: readonly HistoryWitness[];
  readonly clock: Clock;
  readonly chance: Chance;
  readonly telemetry: Telemetry;
}

export interface LossPlan {
  /** Nothing here and no `restoredTo`: there is no loss to accept. */
  readonly findings: readonly HistoryFinding[];
  readonly shards: readonly ShardLoss[];
  /** This very loss was accepted before, and every row is held. */
  readonly acceptedAt: Instant | undefined;
}

export interface ShardLoss {
  readonly shard: ShardName;
  /** It may have been restored too: a row that is New there may have been delivered in the time that is lost. */
  readonly restored: boolean;
  readonly rows: readonly {
    readonly billerId: BillerId;
    readonly status: RowStatus;
    readonly count: number;
    readonly amount: Money;
  }[];
}

export interface LossOrder extends OperatorOrder {
  /** All stores were restored to this time together, so that none of them can know. */
  readonly restoredTo?: Instant;
  readonly onProgress?: (rows: number) => void;
}

export type LossResult = Readonly<Record<HeldRow, number>>;

/** Claimed, and without an end that the shard itself tells. What failed may have been redriven since. */
const HELD_STATUSES: readonly RowStatus[] = ['Queued', 'Published', 'Failed', 'InDoubt'];
const ROWS_PAGE = 500;
const CONCURRENT_ROWS = 32;
/** Others that note at the same time are about to stop. */
const NOTE_RACES_MAX = 10;
/** Processes that ran when the loss was stated have looked, and stopped, by then. */
const LOOKS_WAITED = 3;

/** What would be held; looks only. */
export async function planHistoryLoss(ports: AcceptHistoryLossPorts, restoredTo?: Instant): Promise<LossPlan> {
  const look = await checkAll(ports);
  const shards = await Promise.all(
    ports.shards.all().map(async (shard): Promise<ShardLoss> => {
      const restored = restoredTo !== undefined || (await mayBeRestored(ports, shard, look));
      const totals = await shard.totals();
      return {
        shard: shard.name,
        restored,
        rows: totals
          .filter(({ status }) => statusesToHold(shard, restored, look).includes(status))
          .reduce<ShardLoss['rows']>(summed, []),
      };
    }),
  );
  return {
    findings: look.findings,
    shards,
    acceptedAt: look.findings.length > 0 ? undefined : await concludedAt(ports, restoredTo),
  };
}

/** A witness that is out of reach would go on refusing what the others took for theirs. */
async function checkAll(ports: AcceptHistoryLossPorts): Promise<HistoryLook> {
  const look = await checkHistory(ports);
  const missing = [...ports.shards.all(), ...ports.witnesses].filter(
    (each) => !look.seen.some(({ witness }) => witness === each),
  );
  if (missing.length === 0) return look;
  const names = missing.map(({ name }) => name).join(', ');
  throw new PortFailure(
    `failed to look what is lost: ${names} is out of reach or damaged; bring it back, then repeat the command`,
    {
      code: 'unavailable',
      retryable: true,
      facts: { witnesses: names },
    },
  );
}

/** Over the data types. */
function summed(rows: ShardLoss['rows'], { billerId, status, count, amount }: ShardTotal): ShardLoss['rows'] {
  const same = (row: ShardLoss['rows'][number]): boolean =>
    row.billerId === billerId && row.status === status && row.amount.currency === amount.currency;
  const before = rows.find(same) ?? { count: 0, amount: { minorUnits: 0, currency: amount.currency } };
  const minorUnits = before.amount.minorUnits + amount.minorUnits;
  return [
    ...rows.filter((row) => !same(row)),
    { billerId, status, count: before.count + count, amount: { ...amount, minorUnits } },
  ];
}

/** Nothing else remembers that a restore which nobody can see was dealt with. */
async function concludedAt(
  ports: AcceptHistoryLossPorts,
  restoredTo: Instant | undefined,
): Promise<Instant | undefined> {
  const events = await lossEvents(ports);
  const accepted = events.findLastIndex(
    ({ type, data }) => type === 'HistoryLossAccepted' && restoredTo !== undefined && data.restoredTo === restoredTo,
  );
  return accepted === -1
    ? undefined
    : events.slice(accepted).find(({ type }) => type === 'HistoryLossConcluded')?.data.at;
}

const lossEvents = async ({ eventStore }: AcceptHistoryLossPorts): Promise<readonly HistoryLossEvent[]> =>
  (await eventStore.readStream(historyLossStream, { max: READ_EVENTS_MAX })) as unknown as readonly HistoryLossEvent[];

/** A shard that stands in the store that is there, with everything it saw in it, has lost nothing. */
const statusesToHold = (
  shard: Shard,
  restored: boolean,
  { findings }: Pick<HistoryLook, 'findings'>,
): readonly RowStatus[] => {
  if (restored) return ['New', ...HELD_STATUSES];
  return findings.some(({ witness }) => witness === shard.name) ? HELD_STATUSES : [];
};

/** Somebody else remembers more than this shard does, or it remembers nothing where others do: marks are noted together. */
async function mayBeRestored(
  { eventStore }: AcceptHistoryLossPorts,
  shard: Shard,
  { seen }: HistoryLook,
): Promise<boolean> {
  const known = seen.find(({ witness }) => witness === shard)?.known;
  if (known?.loss) return known.loss.restored;
  for (const other of seen) {
    if (other.witness === shard || !other.known?.mark) continue;
    if (!known?.mark) return true;
    // Another store altogether: who stands in which tells nothing of who was restored.
    if (known.identity !== other.known.identity) continue;
    if (await eventStore.isAfter(other.known.mark.position, known.mark.position)) return true;
  }
  return false;
}

/**
 * A person accepts that a part of the history is gone: every row claimed under it is held in doubt, and then the shards
 * take the store that is there for theirs. What is being done is noted in the shards first, so that nothing runs until it
 * is finished; repeated after a crash anywhere, it goes on.
 */
export async function acceptHistoryLoss(ports: AcceptHistoryLossPorts, order: LossOrder): Promise<LossResult> {
  const look = await checkAll(ports);
  const restored = new Set<Shard>();
  for (const shard of ports.shards.all())
    if (order.restoredTo !== undefined || (await mayBeRestored(ports, shard, look))) restored.add(shard);
  // Every row is held, and only the last notes are missing.
  if (look.seen.some(({ known }) => known?.loss) && (await lossEvents(ports)).at(-1)?.type === 'HistoryLossConcluded') {
    await takeForTheirs(ports, look);
    return { held: 0, finished: 0, known: 0, another: 0 };
  }
  const since = ports.clock.now();
  await append(ports, order, {
    type: 'HistoryLossAccepted',
    data: {
      by: order.by,
      ...(order.claimedBy === undefined ? {} : { claimedBy: order.claimedBy }),
      reason: order.reason,
      at: since,
      lost: look.findings.map(({ witness, fault }) => `${witness}: ${fault}`),
      restoredShards: [...restored].map(({ name }) => name),
      ...(order.restoredTo === undefined ? {} : { restoredTo: order.restoredTo }),
    },
  });
  for (const { witness, known } of look.seen) {
    if (known?.loss) continue;
    const loss = { since, restored: restored.has(witness as Shard) };
    await noteNext(witness, (standing) => ({
      ...(standing ?? { identity: look.identity, mark: undefined, notedAt: since }),
      loss,
    }));
  }
  // Where nothing had told them before, processes may still be running.
  if (look.findings.length === 0) await ports.clock.sleep(HISTORY_LOOK_MS * LOOKS_WAITED);
  const result = { held: 0, finished: 0, known: 0, another: 0 };
  const unread: string[] = [];
  for (const shard of ports.shards.all())
    unread.push(...(await holdRows(ports, shard, statusesToHold(shard, restored.has(shard), look), result, order)));
  if (unread.length > 0) {
    throw new PortFailure(
      `failed to hold every row, so nothing may run yet; restore these rows, then repeat the command: ${unread.join('; ')}`,
      {
        code: 'storage-damaged',
        retryable: false,
        facts: { rows: unread.length },
      },
    );
  }
  const { held, finished, known, another } = result;
  await append(ports, order, {
    type: 'HistoryLossConcluded',
    data: { at: ports.clock.now(), held, finished, left: known + another },
  });
  await takeForTheirs(ports, look);
  return result;
}

async function takeForTheirs({ eventStore, clock }: AcceptHistoryLossPorts, { seen }: HistoryLook): Promise<void> {
  const [identity, mark] = [await eventStore.identity(), await eventStore.head()];
  for (const { witness } of seen) await noteNext(witness, () => ({ identity, mark, notedAt: clock.now() }));
}

/** In words, the rows that cannot be read and so are not held. */
async function holdRows(
  ports: AcceptHistoryLossPorts,
  shard: Shard,
  statuses: readonly RowStatus[],
  result: Record<HeldRow, number>,
  { onProgress }: LossOrder,
): Promise<readonly string[]> {
  const now = await shard.now();
  if (statuses.length === 0) return [];
  let page = await shard.rowsByStatus({ statuses, max: ROWS_PAGE });
  const unread = new Set(page.damaged);
  while (page.length > 0) {
    await eachBounded(page, CONCURRENT_ROWS, async (row) => {
      result[await holdLostRow(ports, shard, row, now)]++;
    });
    onProgress?.(result.held + result.finished + result.known + result.another);
    page = await shard.rowsByStatus({ statuses, max: ROWS_PAGE, after: page.at(-1)!.dpId });
    for (const what of page.damaged ?? []) unread.add(what);
  }
  return [...unread];
}

/** Nobody else notes while a loss is accepted, but whoever has not looked yet: then it is read again. */
async function noteNext(
  witness: HistoryWitness,
  next: (standing: KnownHistory | undefined) => Omit<KnownHistory, 'ordinal'>,
): Promise<void> {
  for (let races = 0; races < NOTE_RACES_MAX; races++) {
    const standing = await witness.knownHistory();
    if (await witness.noteHistory({ ...next(standing), ordinal: (standing?.ordinal ?? 0) + 1 })) return;
  }
  throw new Error(`${witness.name} is noted by others all the time: stop all processes, then repeat the command`);
}

async function append(
  { eventStore, chance }: AcceptHistoryLossPorts,
  { by }: LossOrder,
  { type, data }: HistoryLossEvent,
): Promise<void> {
  const stored = (await eventStore.readStream(historyLossStream, { max: READ_EVENTS_MAX })).at(-1);
  await eventStore.append(historyLossStream, stored?.revision ?? 'new', [
    { id: chance.uuid(), type, data, metadata: { by, at: data.at } },
  ]);
}
