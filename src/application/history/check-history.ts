import { type EventStore, type StoreIdentity } from '../ports/event-store';
import { isDamage, isOutage } from '../ports/failures';
import { type HistoryWitness, type KnownHistory } from '../ports/history-witness';
import { type Shard, type Shards } from '../ports/shard';

export interface CheckHistoryPorts {
  readonly eventStore: Pick<EventStore, 'identity' | 'holds' | 'readAll'>;
  readonly shards: Shards;
  /** Who remembers beside the shards. */
  readonly witnesses: readonly HistoryWitness[];
}

/**
 * new: it holds no records at all. other: it holds records, under another identity. behind: it is the one that is known,
 * without the newest event that was seen in it. unfinished: a person accepted a loss and the rows are still being held.
 * replaced: the store, or a shard, was taken away under this process.
 */
export type HistoryFault = 'new' | 'other' | 'behind' | 'unfinished' | 'replaced';

export interface HistoryFinding {
  /** Who remembers another history. */
  readonly witness: string;
  readonly fault: HistoryFault;
  /** Undefined: rows are claimed, and nothing was noted about where. */
  readonly known: KnownHistory | undefined;
}

export interface HistoryLook {
  readonly identity: StoreIdentity;
  /** None: this is the event store in which the work of all shards stands, with everything that was seen in it. */
  readonly findings: readonly HistoryFinding[];
  readonly seen: readonly { readonly witness: HistoryWitness; readonly known: KnownHistory | undefined }[];
  /** They may know what the others do not; one that is damaged is not among them. */
  readonly outOfReach: readonly HistoryWitness[];
}

/** What tells of records; an identity, profiles and orders of operators are in every store that was ever opened. */
const RECORD_CATEGORIES = ['dpRecord', 'deliveryAttempt', 'dpChunk'];

/**
 * Is this the event store that the shards know? Each witness judges for itself, so that one which knows more speaks for
 * all. A witness that is out of reach, or that cannot be read, says nothing; an event store out of reach is the caller's
 * failure.
 */
export async function checkHistory(ports: CheckHistoryPorts): Promise<HistoryLook> {
  const identity = await ports.eventStore.identity();
  const shards = ports.shards.all();
  const looks = await Promise.all(
    [...shards, ...ports.witnesses].map(async (witness) => {
      try {
        const known = await witness.knownHistory();
        const fault = await faultOf(
          ports,
          identity,
          known,
          shards.find((shard) => shard === witness),
        );
        return { seen: { witness, known }, finding: fault && { witness: witness.name, fault, known } };
      } catch (error) {
        if (!isOutage(error) && !isDamage(error)) throw error;
        return { outOfReach: isDamage(error) ? [] : [witness] };
      }
    }),
  );
  return {
    identity,
    findings: looks.flatMap(({ finding }) => finding ?? []),
    seen: looks.flatMap(({ seen }) => seen ?? []),
    outOfReach: looks.flatMap(({ outOfReach }) => outOfReach ?? []),
  };
}

async function faultOf(
  { eventStore }: CheckHistoryPorts,
  identity: StoreIdentity,
  known: KnownHistory | undefined,
  shard: Shard | undefined,
): Promise<HistoryFault | undefined> {
  if (known === undefined)
    return shard && (await hasClaimedRows(shard)) && (await isNew(eventStore)) ? 'new' : undefined;
  if (known.loss) return 'unfinished';
  if (known.identity !== identity) return (await isNew(eventStore)) ? 'new' : 'other';
  return known.mark && !(await eventStore.holds(known.mark)) ? 'behind' : undefined;
}

/** A record that cannot be read is one. */
async function isNew(eventStore: CheckHistoryPorts['eventStore']): Promise<boolean> {
  const { events, damaged = [] } = await eventStore.readAll({ max: 1, categories: RECORD_CATEGORIES });
  return events.length === 0 && damaged.length === 0;
}

/**
 * Rows that stand under some history and could be posted again; one that cannot be read may be such. Asked of a shard that
 * never noted anything, so rarely.
 */
async function hasClaimedRows(shard: Shard): Promise<boolean> {
  const rows = await shard.rowsByStatus({ statuses: ['Queued', 'Published', 'InDoubt'], max: 1 });
  return rows.length > 0 || (rows.damaged ?? []).length > 0;
}
