import { type DataType } from '../../domain/biller/data-type';
import { type BillerControlState } from '../../domain/biller/biller-control.state';
import { type BillerId } from '../../domain/identifiers';
import { earliest, type Instant } from '../../domain/instant';
import { type BillerHealth } from '../ports/failure-projection';
import { type ProjectedTotal, type RecordStatus } from '../ports/record-projection';
import { type Backlog } from './measure-backlog';

/** Fewer failures in a row than this come and go with any API; from here on a biller is failing. */
const FAILING_FROM = 3;

/** One word for how a biller stands, the worst that can be said first. */
export const BILLER_WORDS = ['failing', 'in doubt', 'dead letters', 'paused', 'not live', 'well'] as const;
export type BillerWord = (typeof BILLER_WORDS)[number];

/** Undefined members: the source that knows them could not be read. */
export interface BillerState {
  readonly billerId: BillerId;
  readonly word: BillerWord;
  /** Since when it is failing or paused. */
  readonly since: Instant | undefined;
  readonly health: BillerHealth | undefined;
  readonly paused: BillerControlState['paused'];
  readonly ratePerSecond: number | undefined;
  /** Rows on their way: new, queued, published. */
  readonly waiting: number;
  readonly oldestWaitingAt: Instant | undefined;
  readonly inDoubt: number;
  readonly deadLettered: number | undefined;
  /** Of the rows created today, by end; `pending` is under way. */
  readonly today: Readonly<Partial<Record<RecordStatus, number>>> | undefined;
  readonly types: readonly { readonly dataType: DataType; readonly waiting: number; readonly inDoubt: number }[];
}

export interface StateSources {
  readonly billers: Iterable<BillerId>;
  readonly live: ReadonlySet<BillerId>;
  /** Of the shards: what is to end. */
  readonly rows: Backlog['rows'];
  readonly controls: ReadonlyMap<BillerId, BillerControlState>;
  readonly health: readonly BillerHealth[] | undefined;
  /** Of the record projection: of all days, and of today. */
  readonly totals: { readonly all: readonly ProjectedTotal[]; readonly today: readonly ProjectedTotal[] } | undefined;
}

const ON_THEIR_WAY: ReadonlySet<string> = new Set(['New', 'Queued', 'Published']);

/** How each biller stands, worst first, then by id. */
export function billerStates(sources: StateSources): readonly BillerState[] {
  return [...new Set(sources.billers)]
    .map((billerId) => stateOf(billerId, sources))
    .sort(
      (a, b) =>
        BILLER_WORDS.indexOf(a.word) - BILLER_WORDS.indexOf(b.word) ||
        a.billerId.localeCompare(b.billerId, 'en', { numeric: true }),
    );
}

function stateOf(billerId: BillerId, sources: StateSources): BillerState {
  const rows = sources.rows.filter((row) => row.billerId === billerId);
  const waitingRows = rows.filter(({ status }) => ON_THEIR_WAY.has(status));
  const oldest = waitingRows.flatMap(({ oldestAt }) => oldestAt ?? []);
  const { paused: held, ratePerSecond, everythingStopped } = sources.controls.get(billerId) ?? {};
  // A stop of everything is told once, and not of each biller.
  const paused = everythingStopped ? undefined : held;
  const health = sources.health?.find((each) => each.billerId === billerId);
  const inDoubt = sum(rows.filter(({ status }) => status === 'InDoubt'));
  const dead = sources.totals?.all.filter((each) => each.billerId === billerId && each.status === 'dead-lettered');
  const today = sources.totals?.today.filter((each) => each.billerId === billerId);
  const state = {
    billerId,
    health,
    paused,
    ratePerSecond,
    waiting: sum(waitingRows),
    oldestWaitingAt: oldest.length === 0 ? undefined : oldest.reduce(earliest),
    inDoubt,
    deadLettered: dead && sum(dead),
    today: today && byStatus(today),
    types: [...new Set(rows.map(({ dataType }) => dataType))].sort().map((dataType) => ({
      dataType,
      waiting: sum(waitingRows.filter((row) => row.dataType === dataType)),
      inDoubt: sum(rows.filter((row) => row.dataType === dataType && row.status === 'InDoubt')),
    })),
  };
  const failing = health?.failingSince !== undefined && health.failuresInRow >= FAILING_FROM;
  const word: BillerWord = failing
    ? 'failing'
    : inDoubt > 0
      ? 'in doubt'
      : (state.deadLettered ?? 0) > 0
        ? 'dead letters'
        : paused
          ? 'paused'
          : sources.live.has(billerId)
            ? 'well'
            : 'not live';
  const since = failing ? health.failingSince : word === 'paused' ? paused?.since : undefined;
  return { ...state, word, since };
}

const sum = (parts: readonly { readonly count: number }[]): number => parts.reduce((all, { count }) => all + count, 0);

function byStatus(totals: readonly ProjectedTotal[]): Partial<Record<RecordStatus, number>> {
  const counts: Partial<Record<RecordStatus, number>> = {};
  for (const { status, count } of totals) counts[status] = (counts[status] ?? 0) + count;
  return counts;
}
