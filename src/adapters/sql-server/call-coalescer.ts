import { PortFailure } from '../../application/ports/failures';

interface Waiting<Call, Answer> {
  readonly call: Call;
  readonly key: string | undefined;
  readonly lane: string;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export interface CoalescerOptions<Call, Answer> {
  /** Calls with one key run one after the other, in the order of call(): a write sees each row once. Reads have none. */
  readonly keyOf?: (call: Call) => string;
  /** Only calls of one lane share a batch. Default: all do. */
  readonly laneOf?: (call: Call) => string;
  /** One round trip. Answers in the order of the calls. A failure has undone the whole batch. */
  readonly run: (calls: readonly Call[]) => Promise<readonly Answer[]>;
  readonly callsMax: number;
  /** Batches under way at the same time; what is called meanwhile waits and makes the next batch fuller. */
  readonly batchesMax: number;
  readonly waitingMax: number;
}

/**
 * Lets calls for single records share round trips: those of one turn of the event loop, and those that arrive while
 * the batches under way fill their number, make one batch. Each caller gets its own answer.
 *
 * idle → (call) scheduled → (next turn) running → running again while calls wait and a batch is free, else idle.
 *
 * A batch that fails for good is halved until the call that breaks it stands alone: one bad text must not fail others.
 */
export class CallCoalescer<Call, Answer> {
  private waiting: Waiting<Call, Answer>[] = [];
  private readonly busyKeys = new Set<string>();
  private running = 0;
  private scheduled = false;
  private idleListeners: (() => void)[] = [];

  constructor(private readonly options: CoalescerOptions<Call, Answer>) {}

  call(call: Call): Promise<Answer> {
    const { waitingMax, keyOf, laneOf } = this.options;
    if (this.waiting.length >= waitingMax) {
      return Promise.reject(
        new PortFailure(`${waitingMax} calls wait for the database already; look why it is slow`, {
          code: 'storage-busy',
          retryable: true,
          facts: { waiting: waitingMax },
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ call, key: keyOf?.(call), lane: laneOf?.(call) ?? '', resolve, reject });
      if (this.scheduled) return;
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.startBatches();
      });
    });
  }

  /** Resolves when nothing waits or runs. */
  drain(): Promise<void> {
    if (this.waiting.length === 0 && this.running === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleListeners.push(resolve));
  }

  private startBatches(): void {
    while (this.running < this.options.batchesMax) {
      const batch = this.takeBatch();
      if (batch.length === 0) break;
      this.running++;
      void this.runBatch(batch).finally(() => {
        this.running--;
        for (const { key } of batch) if (key !== undefined) this.busyKeys.delete(key);
        this.startBatches();
      });
    }
    if (this.waiting.length > 0 || this.running > 0) return;
    const listeners = this.idleListeners;
    this.idleListeners = [];
    for (const listener of listeners) listener();
  }

  /** The oldest call that may run decides the lane; whoever is passed over keeps later calls of its key back. */
  private takeBatch(): Waiting<Call, Answer>[] {
    const batch: Waiting<Call, Answer>[] = [];
    const left: Waiting<Call, Answer>[] = [];
    const passedOver = new Set<string>();
    for (const waiting of this.waiting) {
      const { key } = waiting;
      const free = key === undefined || !(this.busyKeys.has(key) || passedOver.has(key));
      const fits = batch.length < this.options.callsMax && (batch.length === 0 || batch[0]!.lane === waiting.lane);
      if (free && fits) {
        batch.push(waiting);
        if (key !== undefined) this.busyKeys.add(key);
      } else {
        left.push(waiting);
        if (key !== undefined) passedOver.add(key);
      }
    }
    this.waiting = left;
    return batch;
  }

  private async runBatch(batch: readonly Waiting<Call, Answer>[]): Promise<void> {
    try {
      const answers = await this.options.run(batch.map(({ call }) => call));
      batch.forEach((waiting, index) => waiting.resolve(answers[index]!));
    } catch (error) {
      const wasWire = error instanceof PortFailure && error.code !== 'storage-broken';
      if (wasWire || batch.length === 1) for (const waiting of batch) waiting.reject(error);
      else {
        const half = Math.ceil(batch.length / 2);
        await this.runBatch(batch.slice(0, half));
        await this.runBatch(batch.slice(half));
      }
    }
  }
}
