import { type ShardName } from '../domain/identifiers';
import { type Instant, plusMs } from '../domain/instant';
import { type Clock } from './ports/clock';
import { type Shard } from './ports/shard';

/**
 * The shard database's clock without a round trip per look: a sample, carried on by this process's monotonic clock.
 * The true time lies between `atLeast` and `atMost`; they differ by the sample's round trip.
 */
export interface ShardClock {
  /** For judging whether a time has come: never early. */
  atLeast(shard: Shard): Promise<Instant>;
  /** For stating a deadline that others wait for: never too soon. */
  atMost(shard: Shard): Promise<Instant>;
  /**
   * For stating when something was heard: the last sample, however old, carried on. Asks nobody, since what a biller said
   * must stand before anything else can fail; never early. Without any sample, this process's own clock.
   */
  carried(shard: Shard): Instant;
  /** As carried, for a wait that begins when it was heard: never too soon. */
  carriedAtMost(shard: Shard): Instant;
}

interface Sample {
  readonly instant: Instant;
  readonly asked: number;
  readonly answered: number;
}

export function createShardClock(clock: Clock, sampleMs: number): ShardClock {
  const samples = new Map<ShardName, Sample>();
  const sampling = new Map<ShardName, Promise<Sample>>();

  async function sampleOf(shard: Shard): Promise<Sample> {
    const known = samples.get(shard.name);
    if (known && clock.monotonicMs() - known.answered < sampleMs) return known;
    const under = sampling.get(shard.name) ?? take(shard).finally(() => sampling.delete(shard.name));
    sampling.set(shard.name, under);
    return under;
  }

  async function take(shard: Shard): Promise<Sample> {
    const asked = clock.monotonicMs();
    const sample = { instant: await shard.now(), asked, answered: clock.monotonicMs() };
    samples.set(shard.name, sample);
    return sample;
  }

  return {
    async atLeast(shard) {
      const sample = await sampleOf(shard);
      return plusMs(sample.instant, Math.max(0, clock.monotonicMs() - sample.answered));
    },
    carried(shard) {
      const sample = samples.get(shard.name);
      return sample ? plusMs(sample.instant, Math.max(0, clock.monotonicMs() - sample.answered)) : clock.now();
    },
    carriedAtMost(shard) {
      const sample = samples.get(shard.name);
      return sample ? plusMs(sample.instant, Math.max(0, clock.monotonicMs() - sample.asked)) : clock.now();
    },
    async atMost(shard) {
      const sample = await sampleOf(shard);
      return plusMs(sample.instant, Math.max(0, clock.monotonicMs() - sample.asked));
    },
  };
}
