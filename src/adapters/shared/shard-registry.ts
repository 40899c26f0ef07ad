import { PortFailure } from '../../application/ports/failures';
import { type Shard, type Shards } from '../../application/ports/shard';
import { type BillerId, type ShardName } from '../../domain/identifiers';
import { invariant } from '../../domain/invariant';

/** A biller nobody holds is looked for again no sooner than this, so that a flood of bad messages costs no reads. */
const REREAD_MS_MIN = 1_000;

/** What every stack's shard can do beside its port. */
export interface HeldShard extends Shard {
  /** Those this shard is responsible for: the biller settings name them. */
  billersWithSettings(): readonly BillerId[] | Promise<readonly BillerId[]>;
  close(): Promise<void>;
}

/** The shards of one installation. A biller belongs to the shard whose biller settings name it. */
export class ShardRegistry<Held extends HeldShard> implements Shards {
  private shardOf: ReadonlyMap<BillerId, readonly Held[]> = new Map();
  private readAt: number | undefined;
  private reading: Promise<void> | undefined;

  constructor(
    private readonly shards: readonly Held[],
    private readonly monotonicMs: () => number = () => performance.now(),
  ) {
    const names = shards.map(({ name }) => name);
    invariant(new Set(names).size === names.length, `each shard has a name of its own, got ${names.join(', ')}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.shards.map((shard) => shard.close()));
  }

  all(): readonly Held[] {
    return this.shards;
  }

  named(name: ShardName): Held {
    const shard = this.shards.find((candidate) => candidate.name === name);
    if (shard) return shard;
    throw new PortFailure(
      `there is no shard ${name}, known are ${this.shards.map((known) => known.name).join(', ') || 'none'}`,
      {
        code: 'not-found',
        retryable: false,
        facts: { shard: name },
      },
    );
  }

  async ofBiller(biller: BillerId): Promise<Shard | undefined> {
    if (!this.shardOf.has(biller)) await this.reread();
    const holders = this.shardOf.get(biller) ?? [];
    invariant(
      holders.length <= 1,
      `biller ${biller} has settings in more than one shard: ${holders.map(({ name }) => name).join(', ')}`,
    );
    return holders[0];
  }

  /** One read for all who ask meanwhile. */
  private async reread(): Promise<void> {
    if (this.reading) return this.reading;
    if (this.readAt !== undefined && this.monotonicMs() - this.readAt < REREAD_MS_MIN) return;
    this.reading = this.readBillers().finally(() => (this.reading = undefined));
    await this.reading;
  }

  private async readBillers(): Promise<void> {
    const shardOf = new Map<BillerId, Held[]>();
    const found = await Promise.all(this.shards.map(async (shard) => ({ shard, billers: await settingsIn(shard) })));
    for (const { shard, billers } of found)
      for (const biller of billers) shardOf.set(biller, [...(shardOf.get(biller) ?? []), shard]);
    this.shardOf = shardOf;
    this.readAt = this.monotonicMs();
  }
}

/**
 * While one shard fails nobody can tell whose a biller is, not even where another shard names it: two might. Whatever
 * that shard says of itself, for who asks it is an outage.
 */
async function settingsIn(shard: HeldShard): Promise<readonly BillerId[]> {
  try {
    return await shard.billersWithSettings();
  } catch (error) {
    if (!(error instanceof PortFailure)) throw error;
    throw new PortFailure(`failed to look for a biller in shard ${shard.name}: ${error.message}`, {
      code: 'unavailable',
      retryable: true,
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      facts: { ...error.facts, shard: shard.name },
      cause: error,
    });
  }
}
