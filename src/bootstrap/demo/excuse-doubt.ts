import { type Kill, type ManifestBiller, type ManifestRecord } from '../../adapters/sqlite/sqlite-manifest';
import { type EventStore, READ_EVENTS_MAX } from '../../application/ports/event-store';
import { type DeliveryAttemptStarted } from '../../domain/delivery-attempt/delivery-attempt.events';
import { type DpRecordHeldInDoubt } from '../../domain/dp-record/dp-record.events';
import { deliveryAttemptStream, dpRecordStream } from '../../domain/identifiers';
import { plusMs } from '../../domain/instant';
import { type DoubtExcuse } from './judge-record';

/** Clocks of one machine, read in two processes: a kill this near to an attempt may have hit it. */
const NEAR_MS = 500;

/**
 * In doubt is allowed at a biller that offers no way to find out, and only where something happened to the record that
 * leaves no other honest answer: a fault after which no clear answer came, or a kill while its call was under way.
 */
export function excuseDoubt(ports: { readonly eventStore: EventStore; readonly kills: readonly Kill[] }) {
  return async (
    record: ManifestRecord,
    biller: ManifestBiller | undefined,
    hadUnclearFault: boolean,
  ): Promise<DoubtExcuse> => {
    if (!biller || biller.keys || biller.inquiry)
      return { excused: false, why: 'although its biller has idempotency keys or a status inquiry' };
    if (hadUnclearFault) return { excused: true, origin: 'fault' };
    const started = await startOfDoubt(ports.eventStore, record);
    if (!started) return { excused: false, why: 'and its stream names no attempt that could be' };
    const processes = new Set(['sandbox', 'all', started.by]);
    const from = plusMs(started.at, -NEAR_MS);
    const to = plusMs(started.notAfter, NEAR_MS);
    const hit = ports.kills.some((kill) => processes.has(kill.process) && kill.from <= to && kill.to >= from);
    return hit
      ? { excused: true, origin: 'kill' }
      : { excused: false, why: 'although neither a fault nor a kill hit it' };
  };
}

async function startOfDoubt(
  eventStore: EventStore,
  { record }: ManifestRecord,
): Promise<(DeliveryAttemptStarted['data'] & { readonly by: string }) | undefined> {
  const events = await eventStore.readStream(dpRecordStream(record), { max: READ_EVENTS_MAX });
  const held = events.findLast(({ type }) => type === 'DpRecordHeldInDoubt')?.data as
    DpRecordHeldInDoubt['data'] | undefined;
  if (!held) return undefined;
  const [first] = await eventStore.readStream(deliveryAttemptStream(record, held.attempt), { max: 1 });
  if (first?.type !== 'DeliveryAttemptStarted') return undefined;
  // Which process called, such as `consumer-1@host:4711`: only a kill of that one leaves its call without an answer.
  return { ...(first.data as DeliveryAttemptStarted['data']), by: first.metadata.by.replace(/@.*$/, '') };
}
