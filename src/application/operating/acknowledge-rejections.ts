import { parseRecordKey, type RecordKey } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { workOff } from '../messaging/work-off';
import { type OperatorOrders } from './operator-orders';
import { type MessageBus, type PeekedMessage } from '../ports/message-bus';
import { subscriptionOf } from '../queries/list-dead-letters';
import { type EventsTopology } from '../messaging/topology';

export interface AcknowledgePorts {
  readonly orders: OperatorOrders;
  readonly bus: MessageBus;
}

export interface AcknowledgeOrder {
  /** Undefined: every notice. */
  readonly records: ReadonlySet<RecordKey> | undefined;
  readonly by: string;
  readonly claimedBy?: string;
  readonly reason: string;
  readonly at: Instant;
  readonly max: number;
}

/** Whose rejection a notice tells of; undefined where that cannot be read. */
export function rejectedRecordOf({ messageId }: Pick<PeekedMessage, 'messageId'>): RecordKey | undefined {
  const key = messageId.replace(/:rejected$/, '');
  return key !== messageId && parseRecordKey(key) ? (key as RecordKey) : undefined;
}

/**
 * Takes notices of rejected rows away, as seen by a person: who and why is stated first. The record's stream keeps the
 * rejection. A notice that is left has one delivery more behind it; the broker moves it to the dead letters in time, where
 * it is listed and acknowledged just the same.
 */
export function acknowledgeRejections(ports: AcknowledgePorts, settings: EventsTopology) {
  return async (order: AcknowledgeOrder): Promise<readonly RecordKey[]> => {
    const acknowledged: RecordKey[] = [];
    for (const deadLetters of [false, true]) {
      const source = { ...subscriptionOf(settings, 'Notices'), deadLetters };
      await workOff(ports.bus, source, order.max - acknowledged.length, async (notice) => {
        const record = rejectedRecordOf(notice);
        if (record === undefined || (order.records && !order.records.has(record)))
          return { result: undefined, done: false };
        const { by, claimedBy, reason, at } = order;
        const ids = parseRecordKey(record)!;
        await ports.orders.state(ids.billerId, {
          type: 'RejectionAcknowledged',
          data: { ...ids, by, ...(claimedBy === undefined ? {} : { claimedBy }), reason, at },
        });
        acknowledged.push(record);
        return { result: undefined, done: true };
      });
    }
    return acknowledged;
  };
}
