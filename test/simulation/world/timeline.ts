import { type Dice } from './dice';

interface Happening {
  readonly at: number;
  /** Order among happenings of one millisecond: by the seed, not by who asked first. */
  readonly rank: number;
  readonly run: Run;
}

/** False: nothing was woken, so nothing has to run to its end before the next happening. */
export type Run = () => void | boolean | Promise<void>;

/**
 * Node takes the next tick only when no promise has anything left to do. A turn of the event loop would do as well, but
 * it asks the operating system each time, which cost a third of a run. Nothing that a happening wakes waits for a timer.
 */
const EVERYTHING_ELSE = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/**
 * The virtual clock and the scheduler. One happening at a time; after each, all code that it woke runs until it waits
 * for a port again, so a run is a function of its seed.
 */
export class Timeline {
  now = 0;
  happened = 0;
  private readonly heap: Happening[] = [];
  private asked = 0;
  private readonly order: number;

  constructor(private readonly dice: Dice) {
    this.order = dice.question('order among happenings');
  }

  at(time: number, run: Run): void {
    const happening = { at: Math.max(time, this.now), rank: this.dice.fraction(this.order, this.asked++), run };
    const { heap } = this;
    let index = heap.push(happening) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(happening, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = happening;
  }

  after(ms: number, run: Run): void {
    this.at(this.now + ms, run);
  }

  /** Lets things happen until `until` says so, time is over, or too much has happened. */
  async run(options: {
    readonly untilMs: number;
    readonly happeningsMax: number;
    readonly until: () => boolean;
  }): Promise<'until' | 'time-over' | 'too-much'> {
    for (let count = 0; count < options.happeningsMax; count++) {
      const next = this.heap[0];
      if (next === undefined || next.at > options.untilMs) {
        this.now = Math.max(this.now, options.untilMs);
        return 'time-over';
      }
      this.pop();
      this.now = next.at;
      this.happened++;
      const woken = next.run();
      if (woken === false) continue;
      if (woken instanceof Promise) await woken;
      await EVERYTHING_ELSE();
      if (options.until()) return 'until';
    }
    return 'too-much';
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

const before = (a: Happening, b: Happening): boolean => a.at < b.at || (a.at === b.at && a.rank < b.rank);
