import { instantFromMs, msOf, type Instant } from '../../domain/instant';
import { type ChunkId } from '../../domain/identifiers';
import { newNumber, sweepChain } from '../messaging/message-chain';
import { messageOf } from '../messaging/messages';
import { recordAgainFor } from '../messaging/send-again';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type Chance } from '../ports/chance';
import { type MessageBus, type OutgoingMessage } from '../ports/message-bus';
import { type Shard, type Shards } from '../ports/shard';
import { type OutboxChunk } from '../ports/shard-claims';
import { type StalledRow } from '../ports/shard-results';
import { type Telemetry } from '../ports/telemetry';
import { chunkMessage, newTraceparent } from './relay-outbox';
import { type EventsTopology, OUTBOX_TOPIC } from '../messaging/topology';

export interface SweepStalledPorts {
  readonly shards: Shards;
  readonly bus: MessageBus;
  readonly profiles: BillerProfiles;
  readonly chance: Chance;
  readonly telemetry: Telemetry;
}

export interface SweepStalledSettings extends EventsTopology {
  readonly afterMs: number;
  /** Per shard and pass: the sweep never floods the bus. */
  readonly rowsPerPassMax: number;
}

/**
 * The row, not the broker, owns the duty: a row that owes a result and has not moved for a while gets a new message,
 * under an id never used before. Rows held in doubt are looked at too: their attempt may have been closed meanwhile.
 */
export function sweepStalled(ports: SweepStalledPorts, settings: SweepStalledSettings) {
  return async (): Promise<number> => {
    let swept = 0;
    for (const shard of ports.shards.all()) {
      try {
        swept += await sweepOne(ports, settings, shard);
      } catch (error) {
        ports.telemetry.error('failed to sweep a shard', error, { shard: shard.name });
      }
    }
    return swept;
  };
}

async function sweepOne(ports: SweepStalledPorts, settings: SweepStalledSettings, shard: Shard): Promise<number> {
  const now = await shard.now();
  const stalled = await shard.takeStalled({
    before: instantFromMs(msOf(now) - settings.afterMs),
    max: settings.rowsPerPassMax,
  });
  if (stalled.length === 0) return 0;
  ports.telemetry.warn('rows stalled, sending them again', { shard: shard.name, rows: stalled.length });
  const unfetched = stalled.filter((row) => row.status === 'Queued' && row.chunkId !== undefined);
  const published = stalled.filter((row) => row.status !== 'Queued' || row.chunkId === undefined);
  if (unfetched.length > 0) await ports.bus.send(OUTBOX_TOPIC, chunksAgain(ports.chance, shard, unfetched, now));
  if (published.length > 0)
    await ports.bus.send(
      settings.eventsTopic,
      await Promise.all(published.map((row) => sweptRecord(ports, settings, shard, row, now))),
    );
  return stalled.length;
}

function chunksAgain(chance: Chance, shard: Shard, rows: readonly StalledRow[], now: Instant): OutgoingMessage[] {
  const byChunk = new Map<ChunkId, StalledRow[]>();
  for (const row of rows) byChunk.set(row.chunkId!, [...(byChunk.get(row.chunkId!) ?? []), row]);
  return [...byChunk].map(([chunkId, members]) => {
    const first = members[0]!;
    const chunk: OutboxChunk = {
      chunkId,
      shard: shard.name,
      billerId: first.billerId,
      dataType: first.dataType,
      dpStart: first.dpId,
      dpEnd: members.at(-1)!.dpId,
      rows: members.length,
    };
    const ordinal = Math.max(...members.map((row) => row.ordinal));
    return chunkMessage(chunk, `${chunkId}:s${newNumber(ordinal, now)}`, newTraceparent(chance));
  });
}

const sweptRecord = (
  ports: SweepStalledPorts,
  settings: SweepStalledSettings,
  shard: Shard,
  row: StalledRow,
  now: Instant,
): Promise<OutgoingMessage> =>
  recordAgainFor(ports.profiles, settings, messageOf({ ...row, shard: shard.name, occurredAt: now }), {
    link: sweepChain(row.ordinal, now),
    traceparent: newTraceparent(ports.chance),
  });
