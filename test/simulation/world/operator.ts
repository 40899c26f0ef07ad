import { type Container } from 'inversify';
import { redriveDeadLetters } from '../../../src/application/redrive-dead-letters';
import { resolveByOperator } from '../../../src/application/resolve-by-operator';
import { TOKENS } from '../../../src/bootstrap/container/tokens';
import { type RowStatus } from '../../../src/domain/dp-record/row-status';
import { type BillerId, type RecordKey } from '../../../src/domain/identifiers';
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
    this.add(`pause ${biller}`, (container) => this.order(container, biller, 'BillerPaused'));
  }

  resume(biller: BillerId): void {
    this.add(`resume ${biller}`, (container) => this.order(container, biller, 'BillerResumed'));
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
        const [effect] = this.world.billers.effectsOf(record);
        const outcome = effect ? 'accepted' : this.world.billers.hasDeclined(record) ? 'declined' : 'not-executed';
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

  private async order(container: Container, biller: BillerId, type: 'BillerPaused' | 'BillerResumed'): Promise<void> {
    await container.get(TOKENS.control).order(biller, { type, data: { ...BY, at: container.get(TOKENS.clock).now() } });
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
