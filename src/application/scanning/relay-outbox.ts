import { chunkDecider } from '../../domain/chunk/chunk.decider';
import { invariant } from '../../domain/invariant';
import { type History } from '../history/history';
import { type ChunkMessage } from '../messaging/messages';
import { chunkAgain } from '../messaging/send-again';
import { type Chance } from '../ports/chance';
import { type Clock } from '../ports/clock';
import { VersionConflict } from '../ports/failures';
import { type MessageBus, type OutgoingMessage } from '../ports/message-bus';
import { type Shard } from '../ports/shard';
import { type OutboxChunk } from '../ports/shard-claims';
import { OUTBOX_TOPIC } from '../messaging/topology';

export interface RelayOutboxPorts {
  readonly history: History;
  readonly bus: MessageBus;
  readonly clock: Clock;
  readonly chance: Chance;
}

export type RelayOutbox = (shard: Shard) => Promise<number>;

const CHUNKS_PER_RELAY_MAX = 200;
const RELAYS_MAX = 50;

/**
 * Per outbox row: append ChunkPlanned, publish, mark the row. A crash anywhere repeats a step: the append conflicts
 * and is taken as done, the broker drops the repeated message id, marking twice is marking once.
 */
export function relayOutbox(ports: RelayOutboxPorts): RelayOutbox {
  return async (shard) => {
    let relayed = 0;
    for (let round = 0; round < RELAYS_MAX; round++) {
      const chunks = await shard.unpublishedChunks(CHUNKS_PER_RELAY_MAX);
      if (chunks.length === 0) break;
      await Promise.all(chunks.map((chunk) => recordPlan(ports, chunk)));
      await ports.bus.send(
        OUTBOX_TOPIC,
        chunks.map((chunk) => chunkMessage(chunk, chunk.chunkId, newTraceparent(ports.chance))),
      );
      await shard.markPublished(chunks.map((chunk) => chunk.chunkId));
      relayed += chunks.length;
    }
    return relayed;
  };
}

async function recordPlan(ports: RelayOutboxPorts, chunk: OutboxChunk): Promise<void> {
  const { chunkId, billerId, dataType, shard, dpStart, dpEnd, rows } = chunk;
  const loaded = { state: chunkDecider.initialState, revision: 'new' as const };
  const decision = chunkDecider.decide(
    { type: 'PlanChunk', plan: { chunkId, billerId, dataType, shard, dpStart, dpEnd, rows } },
    loaded.state,
  );
  invariant(decision.outcome === 'accepted', `planning the unplanned chunk ${chunkId} cannot be refused`);
  try {
    await ports.history.appendToChunk(chunkId, loaded, decision.events, ports.clock.now());
  } catch (error) {
    if (!(error instanceof VersionConflict)) throw error;
  }
}

/** The broker's MessageId is the chunkId, or one derived from it where the sweep sends the chunk again. */
export function chunkMessage(chunk: OutboxChunk, messageId: string, traceparent: string): OutgoingMessage {
  const body: ChunkMessage = {
    billerId: chunk.billerId,
    dpStart: chunk.dpStart,
    dpEnd: chunk.dpEnd,
    messageId: `${chunk.billerId}:${chunk.dpStart}+${chunk.dpEnd}`,
    chunkId: chunk.chunkId,
    shard: chunk.shard,
    eventType: chunk.dataType,
  };
  return chunkAgain(body, { messageId, traceparent });
}

/** W3C trace context, version 00, sampled. Where spans are told, adapters/telemetry puts one of theirs in its place. */
export function newTraceparent(chance: Chance): string {
  const hex = chance.uuid().replaceAll('-', '');
  const span = chance.uuid().replaceAll('-', '').slice(0, 16);
  return `00-${hex}-${span}-01`;
}
