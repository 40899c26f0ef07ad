import { type Container } from 'inversify';
import { acceptHistoryLoss, planHistoryLoss } from '../../../src/application/operating/accept-history-loss';
import { redriveDeadLetters } from '../../../src/application/operating/redrive-dead-letters';
import { resolveByOperator } from '../../../src/application/operating/resolve-by-operator';
import { TOKENS } from '../../../src/bootstrap/container/tokens';
import { type RowStatus } from '../../../src/domain/dp-record/row-status';
import { type BillerId, type RecordKey } from '../../../src/domain/identifiers';
import { type Instant } from '../../../src/domain/instant';
import { createProcess } from './processes';
import { type SimulatedProcess } from './simulated-process';
import { TOPOLOGY, type World } from './world';

export interface Task {
  readonly name: string;
  readonly run: (container: Container) => Promise<void>;
  done: boolean;
  /** A letter that a dead operator's order had in hand is locked until then: a person waits before trying again. */
  notBefore: number;
}

const LOOK_EVERY_MS = 8_000;
const BY = { by: 'operator', reason: 'simulated' };

/** A person at the command line: does what is on the list, and does it again when it failed or the machine crashed. */
export class Operator {
  readonly tasks: Task[] = [];
  readonly process: SimulatedProcess;

  constructor(private readonly world: World) {
    this.process = createProcess(world, 'operator', (container, signal) => this.work(container, signal));
  }

  get idle(): boolean {
    return this.tasks.every(({ done }) => done);
  }

  pause(biller: BillerId): void {
    this.add(`pause ${biller}`, (container) => this.order(container, biller, 'PauseBiller'));
  }

  resume(biller: BillerId): void {
    this.add(`resume ${biller}`, (container) => this.order(container, biller, 'ResumeBiller'));
  }

  slow(biller: BillerId, perSecond: number): void {
    this.add(`slow ${biller}`, async (container) => {
      const ordered = { ...BY, at: container.get(TOKENS.clock).now() };
      await container.get(TOKENS.control).order(biller, { type: 'SetBillerRate', perSecond, ordered });
    });
  }

  /** Two people give the same order at the same time. */
  redriveTwice(): void {
    this.add('redrive', async (container) => {
      const get = container.get.bind(container);
      const redrive = redriveDeadLetters(
        {
          history: get(TOKENS.history),
          bus: get(TOKENS.bus),
          shards: get(TOKENS.shards),
          shardClock: get(TOKENS.shardClock),
          profiles: get(TOKENS.profiles),
          contracts: get(TOKENS.contracts),
          chance: get(TOKENS.chance),
        },
        TOPOLOGY,
      );
      for (const dataType of this.world.scenario.dataTypes) {
        const order = { dataType, records: undefined, ...BY, max: 50 };
        await Promise.all([redrive(order), redrive(order)]);
      }
    });
  }

  /** Looks into the billers' books and says what stands there, for every record in doubt. */
  resolveAll(): void {
    this.add('resolve', async (container) => {
      const get = container.get.bind(container);
      const resolve = resolveByOperator(
        {
          history: get(TOKENS.history),
          bus: get(TOKENS.bus),
          shards: get(TOKENS.shards),
          shardClock: get(TOKENS.shardClock),
          chance: get(TOKENS.chance),
          telemetry: get(TOKENS.telemetry),
          profiles: get(TOKENS.profiles),
        },
        TOPOLOGY,
      );
      for (const record of this.recordsThatAre('InDoubt')) {
        // Sent again, it would wait for its biller to go live, which it never does here.
        if (this.world.profiles.current.get(record.slice(0, record.indexOf(':')))?.rollout !== 'live') continue;
        const [effect] = this.world.billers.effectsOf(record);
        const errs = this.world.dice.fraction(`operator on ${record}`) < (this.world.broken?.operatorErrs ?? 0);
        const outcome =
          (effect !== undefined) !== errs
            ? 'accepted'
            : this.world.billers.hasDeclined(record)
              ? 'declined'
              : 'not-executed';
        await resolve({
          record: record as RecordKey,
          outcome,
          evidence: 'the books',
          ...BY,
          ...(effect ? { billerReference: effect.reference } : {}),
        });
      }
    });
  }

  /** Reads what the start says, and accepts it; where nothing says anything, the person knows what was restored. */
  acceptLoss(restoredTo: Instant | undefined): void {
    const run = async (container: Container): Promise<void> => {
      const get = container.get.bind(container);
      const guard = get(TOKENS.historyGuard);
      const ports = {
        eventStore: guard.eventStore,
        history: get(TOKENS.history),
        shards: get(TOKENS.shards),
        witnesses: [get(TOKENS.historyWitness)],
        profiles: get(TOKENS.profiles),
        digest: get(TOKENS.digest),
        clock: get(TOKENS.clock),
        chance: get(TOKENS.chance),
        telemetry: get(TOKENS.telemetry),
      };
      const plan = await planHistoryLoss(ports, restoredTo);
      const isLost = plan.findings.length > 0 || (restoredTo !== undefined && plan.acceptedAt === undefined);
      if (isLost) guard.yield();
      if (isLost) await acceptHistoryLoss(ports, { ...BY, ...(restoredTo && { restoredTo }) });
      this.world.heldBack = false;
    };
    // Before everything else: other orders would be refused.
    this.tasks.unshift({ name: 'accept the loss', run, done: false, notBefore: 0 });
  }

  sees(status: RowStatus): boolean {
    return this.recordsThatAre(status).length > 0;
  }

  private recordsThatAre(wanted: RowStatus): readonly string[] {
    return this.world.shards.flatMap((shard) =>
      shard
        .stored()
        .filter(({ status }) => status === wanted)
        .map(({ billerId, dpId }) => `${billerId}:${dpId}`),
    );
  }

  private async order(container: Container, biller: BillerId, type: 'PauseBiller' | 'ResumeBiller'): Promise<void> {
    await container
      .get(TOKENS.control)
      .order(biller, { type, ordered: { ...BY, at: container.get(TOKENS.clock).now() } });
  }

  private add(name: string, run: Task['run']): void {
    this.tasks.push({ name, run, done: false, notBefore: 0 });
  }

  private async work(container: Container, signal: AbortSignal): Promise<void> {
    const clock = container.get(TOKENS.clock);
    while (!signal.aborted) {
      const task = this.tasks.find(({ done }) => !done);
      // One after the other: an order to pause that failed must not be given after the order to go on.
      if (task && task.notBefore <= this.world.timeline.now) {
        if (task.name === 'redrive') task.notBefore = this.world.timeline.now + TOPOLOGY.lockMs;
        try {
          await task.run(container);
          task.done = true;
        } catch (error) {
          container.get(TOKENS.telemetry).error(`failed to ${task.name}`, error);
        }
      }
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }
}
