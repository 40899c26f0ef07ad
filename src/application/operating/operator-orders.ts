import { type BillerId, type DpId, operatorOrdersStream } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { invariant } from '../../domain/invariant';
import { type Chance } from '../ports/chance';
import { type EventStore, type ExpectedRevision, READ_EVENTS_MAX, type StoredEvent } from '../ports/event-store';
import { transact } from '../history/transact';

/** Stored for ever in the stream `operatorOrders-<billerId>`: what people did about messages that no record's stream tells of. */
export type OperatorOrderEvent =
  | {
      readonly type: 'ChunkRedriven';
      readonly data: {
        /** Of the dead letter, and of the message that was sent for it. */
        readonly messageId: string;
        readonly newMessageId: string;
        readonly rows: number;
        readonly by: string;
        readonly claimedBy?: string;
        readonly reason: string;
        readonly at: Instant;
      };
    }
  | {
      readonly type: 'RejectionAcknowledged';
      readonly data: {
        readonly billerId: BillerId;
        readonly dpId: DpId;
        readonly by: string;
        readonly claimedBy?: string;
        readonly reason: string;
        readonly at: Instant;
      };
    };

/** More orders than people give in the life of a biller. */
const PAGES_MAX = 200;

interface Stated {
  readonly revision: ExpectedRevision;
  readonly orders: Set<string>;
}

/** What an order is about: given twice, it is stated once. */
const subjectOf = (event: OperatorOrderEvent): string =>
  event.type === 'ChunkRedriven' ? `${event.type} ${event.data.newMessageId}` : `${event.type} ${event.data.dpId}`;

export interface OperatorOrders {
  /** Says in the history who ordered what and why, before it is done. What stands there already is not said again. */
  state(biller: BillerId, event: OperatorOrderEvent): Promise<void>;
}

/** For one command: each biller's orders are read once, and again where somebody else adds to them. */
export function createOperatorOrders(ports: {
  readonly eventStore: EventStore;
  readonly chance: Chance;
}): OperatorOrders {
  const known = new Map<BillerId, Stated>();

  async function read(biller: BillerId): Promise<Stated> {
    const stream = operatorOrdersStream(biller);
    const orders = new Set<string>();
    let revision: ExpectedRevision = 'new';
    for (let page = 0; page < PAGES_MAX; page++) {
      const fromRevision: number = revision === 'new' ? 0 : revision + 1;
      const events: readonly StoredEvent[] = await ports.eventStore.readStream(stream, { fromRevision });
      for (const event of events) orders.add(subjectOf(event as unknown as OperatorOrderEvent));
      revision = events.at(-1)?.revision ?? revision;
      if (events.length < READ_EVENTS_MAX) return { revision, orders };
    }
    invariant(false, `stream ${stream} has more than ${PAGES_MAX * READ_EVENTS_MAX} events`);
  }

  return {
    async state(biller, event) {
      await transact(async () => {
        const { revision, orders } = known.get(biller) ?? (await read(biller));
        if (orders.has(subjectOf(event))) return;
        known.delete(biller);
        const { by, at } = event.data;
        const appended = await ports.eventStore.append(operatorOrdersStream(biller), revision, [
          { id: ports.chance.uuid(), ...event, metadata: { by, at } },
        ]);
        known.set(biller, { revision: appended.revision, orders: orders.add(subjectOf(event)) });
      });
    },
  };
}
