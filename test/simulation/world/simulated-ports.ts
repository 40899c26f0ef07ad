import { ValidatedMessageContracts } from '../../../src/adapters/messages/validated-message-contracts';
import { type BillerProfiles } from '../../../src/application/ports/biller-profiles';
import { type Chance } from '../../../src/application/ports/chance';
import { type EventStore } from '../../../src/application/ports/event-store';
import { causeChain } from '../../../src/application/ports/failures';
import { type Shard, type Shards } from '../../../src/application/ports/shard';
import { type Fields, type Instruments } from '../../../src/application/ports/telemetry';
import { type DpRow } from '../../../src/domain/dp-record/dp-row';
import { type AtOnce, thenAtOnce } from './at-once';
import { mixed } from './dice';
import { type SimulatedProcess } from './simulated-process';
import { type World } from './world';

export const contracts = new ValidatedMessageContracts();

export function eventStoreOf(world: World, process: SimulatedProcess, epoch: number): EventStore {
  const { store, wire } = world;
  return {
    append: (stream, expected, events) => {
      world.watch.stating(process.name, epoch, stream);
      return wire.call(process, epoch, {
        site: 'store-append',
        name: `store.append(${stream})`,
        effect: () =>
          thenAtOnce(store.append(stream, expected, events), (appended) => {
            world.watch.appended(`${process.name}#${epoch}`, stream, events);
            return appended;
          }),
      });
    },
    readStream: (stream, options) =>
      wire.call(process, epoch, {
        site: stream.startsWith('billerControl-') ? 'control-read' : 'store-read',
        name: `store.readStream(${stream})`,
        effect: () => store.readStream(stream, options),
      }),
    readAll: (options) =>
      wire.call(process, epoch, { site: 'store-read', name: 'store.readAll', effect: () => store.readAll(options) }),
    identity: () =>
      wire.call(process, epoch, { site: 'store-read', name: 'store.identity', effect: () => store.identity() }),
    head: () => wire.call(process, epoch, { site: 'store-read', name: 'store.head', effect: () => store.head() }),
    holds: (event) =>
      wire.call(process, epoch, { site: 'store-read', name: 'store.holds', effect: () => store.holds(event) }),
    isAfter: async (position, other) => store.isAfter(position, other),
  };
}

export function shardsOf(world: World, process: SimulatedProcess, epoch: number): Shards {
  const all = world.shards.map((shard) => shardOf(world, shard, process, epoch));
  return {
    all: () => all,
    named: (name) => all.find((shard) => shard.name === name)!,
    ofBiller: async (biller) => all.find((_, index) => world.homeOf(biller) === world.shards[index]!.name),
  };
}

const SHARD_METHODS = [
  'now',
  'claim',
  'unpublishedChunks',
  'markPublished',
  'markFetched',
  'rowsOfChunk',
  'rowsInRange',
  'findRow',
  'adopt',
  'changeStatuses',
  'reconcile',
  'noteProgress',
  'takeStalled',
  'reopen',
  'rowsByStatus',
  'totals',
  'billers',
  'knownHistory',
  'noteHistory',
] as const satisfies readonly (keyof Shard)[];

function shardOf(world: World, core: AtOnce<Shard>, process: SimulatedProcess, epoch: number): Shard {
  const shard: Record<string, unknown> = { name: core.name };
  for (const method of SHARD_METHODS) {
    shard[method] = (...parameters: unknown[]) =>
      world.wire.call(process, epoch, {
        site: 'shard',
        of: core.name,
        name: `${core.name}.${method}(${subjectOf(parameters[0])})`,
        effect: () => {
          if (method === 'reopen') world.watch.rowReopened(`${process.name}#${epoch}`, String(parameters[0]));
          return thenAtOnce((core[method] as (...all: unknown[]) => unknown).apply(core, parameters), (answer) =>
            brittle(world, answer),
          );
        },
      });
  }
  return shard as unknown as Shard;
}

/** Rows that break processing do so wherever they are read; no store could hold what they are. */
function brittle(world: World, answer: unknown): unknown {
  if (world.breaking.size === 0) return answer;
  if (Array.isArray(answer)) return answer.map((each) => brittle(world, each));
  const row = answer as Partial<DpRow> | undefined;
  if (!row?.customer || !world.breaking.has(`${row.billerId}:${row.dpId}`)) return answer;
  const customer = Object.defineProperty({ ...row.customer }, 'billerId', {
    get() {
      throw new TypeError('the row breaks processing');
    },
  });
  return { ...row, customer };
}

function subjectOf(parameter: unknown): string {
  if (typeof parameter === 'string') return parameter;
  const dpId = (parameter as { readonly dpId?: unknown } | undefined)?.dpId;
  return typeof dpId === 'string' ? dpId : '';
}

export function profilesOf(world: World, process: SimulatedProcess, epoch: number): BillerProfiles {
  const { profiles, wire } = world;
  const ask = <Answer>(name: string, effect: () => Answer): Promise<Answer> =>
    wire.call(process, epoch, { site: 'profiles', name, latencyMaxMs: 2, effect });
  return {
    all: () => ask('profiles.all', () => [...profiles.current.values()]),
    current: (biller) => ask(`profiles.current(${biller})`, () => profiles.current.get(biller)),
    version: (biller, version) =>
      ask(`profiles.version(${biller})`, () => profiles.versions.get(`${biller} ${version}`)),
    tenants: (biller) =>
      ask(`profiles.tenants(${biller})`, () =>
        [...profiles.versions.values()].filter(({ billerId }) => billerId === biller).map(({ tenant }) => tenant),
      ),
  };
}

export function chanceOf(world: World, process: SimulatedProcess): Chance {
  const { dice } = world;
  const about = `chance of ${process.name}`;
  const question = dice.question(about);
  return {
    uuid: () => dice.uuid(about, world.draw(about)),
    fraction: () => dice.fraction(mixed(question, 1), world.draw(about)),
  };
}

/** Counts, and looks into everything said for secrets. */
export function telemetryOf(world: World, process: SimulatedProcess, epoch: number): Instruments {
  const { watch } = world;
  const say = (level: string, message: string, fields: Fields | undefined, error?: unknown): void => {
    if (process.epoch !== epoch) return;
    watch.said(`${message} ${fields ? JSON.stringify(fields) : ''} ${error === undefined ? '' : causeChain(error)}`);
    if (world.narrate)
      world.narrate(
        `${level} ${process.name}: ${message} ${fields ? JSON.stringify(fields) : ''} ${error === undefined ? '' : causeChain(error)}`,
      );
  };
  const told: Instruments = {
    info: (message, fields) => say('info', message, fields),
    warn: (message, fields) => say('warn', message, fields),
    error: (message, error, fields) => say('error', message, fields, error),
    count: (name, by = 1) => {
      if (process.epoch === epoch) watch.counted(name, by);
    },
    measure: () => undefined,
    child: () => told,
  };
  return told;
}
