import { SqliteMessageBus } from '../../../src/adapters/sqlite/sqlite-message-bus';
import { declareTopology, type TopologySettings } from '../../../src/application/topology';
import { EventStorePeer } from '../wire-peers/event-store-grpc/event-store-peer';
import { ServiceBusPeer } from '../wire-peers/amqp/service-bus-peer';

/** One wire peer as a process of its own, so that it can be killed: the same file and port again is the same server. */
export type PeerOrder =
  | { readonly kind: 'event-store'; readonly path: string; readonly port: number }
  | {
      readonly kind: 'service-bus';
      readonly path: string;
      readonly port: number;
      readonly topology: TopologySettings;
    };

async function main(order: PeerOrder): Promise<void> {
  // It ends with whoever started it, however that went.
  process.stdin.on('end', () => process.exit(0)).resume();
  if (order.kind === 'event-store') {
    await EventStorePeer.start(order);
  } else {
    const topology = declareTopology(order.topology);
    const bus = new SqliteMessageBus({ path: order.path, topology });
    await new ServiceBusPeer({ bus, path: order.path, topology, port: order.port }).listen();
  }
  process.stdout.write('listening\n');
}

void main(JSON.parse(process.argv[2] ?? '{}') as PeerOrder);
