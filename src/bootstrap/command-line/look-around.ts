import { existsSync } from 'node:fs';
import { type PausedBiller } from '../../adapters/command-line/status-text';
import { PortFailure } from '../../application/ports/failures';
import { type BillerState, billerStates, type StateSources } from '../../application/queries/biller-states';
import { type Backlog, measureBacklog } from '../../application/queries/measure-backlog';
import { currentFailures } from '../../application/queries/project-failures';
import { currentRecords } from '../../application/queries/project-records';
import { type BillerControlState, EVERYTHING } from '../../domain/biller/biller-control.state';
import { type BillerId } from '../../domain/identifiers';
import { dayOf } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { type OperatorContext } from './operator-context';

export interface Seen {
  readonly live: ReadonlySet<BillerId>;
  readonly problems: number;
  /** Rows that are to end. */
  readonly backlog: Backlog;
  /** Who stopped everything, why and since when. */
  readonly stopped: BillerControlState['paused'];
  readonly paused: readonly PausedBiller[];
  readonly totals: StateSources['totals'];
  readonly states: readonly BillerState[];
}

/** Everything that tells how things stand, each source for itself: what cannot be read is told, and the others are shown. */
export async function lookAround(context: OperatorContext, tell: (what: string) => void): Promise<Seen> {
  const { container, readAt } = context;
  const noProfiles = { live: new Set<BillerId>(), known: [], problems: 0 };
  const { live, known, problems } = await orTold('profiles', tell, noProfiles, () => profilesOf(context));
  const bus = await orTold('bus', tell, undefined, async () => container.get(TOKENS.bus));
  const backlog = await measureBacklog(
    { shards: container.get(TOKENS.shards), bus },
    container.get(TOKENS.topology),
    tell,
    'to-end',
  )(live);
  const totals = await orTold('event store', tell, undefined, async () => {
    const ports = { eventStore: container.get(TOKENS.eventStore), projections: container.get(TOKENS.projections) };
    const projection = await currentRecords(ports)();
    for (const what of await projection.unread()) tell(what);
    return { all: await projection.totals(), today: await projection.totals(dayOf(readAt)) };
  });
  const health = await orTold('event store', tell, undefined, async () => {
    const ports = {
      eventStore: container.get(TOKENS.eventStore),
      projections: container.get(TOKENS.failureProjections),
    };
    return (await currentFailures(ports)()).health();
  });
  const billers = new Set([
    ...known,
    ...backlog.rows.map(({ billerId }) => billerId),
    ...(totals?.all ?? []).map(({ billerId }) => billerId),
  ]);
  const none: ReadonlyMap<BillerId, BillerControlState> = new Map();
  const controls = await orTold('event store', tell, none, () => controlsOf(context, billers));
  const stopped = await orTold('event store', tell, undefined, async () => {
    const { paused: stop, everythingStopped } = await container.get(TOKENS.control).state(EVERYTHING);
    return everythingStopped ? stop : undefined;
  });
  const paused = [...controls].flatMap(([billerId, { paused: each, everythingStopped }]) =>
    each && !everythingStopped ? [{ billerId, ...each }] : [],
  );
  const states = billerStates({ billers, live, rows: backlog.rows, controls, health, totals });
  return { live, problems, backlog, stopped, paused, totals, states };
}

async function orTold<T>(what: string, tell: (what: string) => void, instead: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PortFailure)) throw error;
    tell(`${what}: ${error.message}`);
    return instead;
  }
}

/** Looking must work where the profiles do not: an operator asks for the status when something is wrong. */
async function profilesOf({
  container,
  settings,
}: OperatorContext): Promise<{ live: ReadonlySet<BillerId>; known: readonly BillerId[]; problems: number }> {
  if (!existsSync(settings['Billers:Folder'])) return { live: new Set(), known: [], problems: 0 };
  const files = container.get(TOKENS.profileFiles);
  const profiles = await files.all();
  return {
    live: new Set(profiles.filter(({ rollout }) => rollout === 'live').map(({ billerId }) => billerId)),
    known: profiles.map(({ billerId }) => billerId),
    problems: (await files.problems()).length,
  };
}

async function controlsOf(
  { container }: OperatorContext,
  billers: ReadonlySet<BillerId>,
): Promise<ReadonlyMap<BillerId, BillerControlState>> {
  const control = container.get(TOKENS.control);
  return new Map(
    await Promise.all([...billers].map(async (billerId) => [billerId, await control.state(billerId)] as const)),
  );
}
