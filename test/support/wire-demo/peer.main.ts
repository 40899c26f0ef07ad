import { createInterface } from 'node:readline';
import { SqliteMessageBus } from '../../../src/adapters/sqlite/sqlite-message-bus';
import { declareTopology, type TopologySettings } from '../../../src/application/messaging/topology';
import { status } from '@grpc/grpc-js';
import { type Fault, type Moment, SERVICE_ERRORS } from '../wire-peers/amqp/planned-faults';
import { ServiceBusPeer } from '../wire-peers/amqp/service-bus-peer';
import { EventStorePeer, type LeaderEndpoint } from '../wire-peers/event-store-grpc/event-store-peer';

/** One wire peer as a process of its own, so that it can be killed: the same file and port again is the same server. */
export type PeerOrder =
  | { readonly kind: 'event-store'; readonly path: string; readonly port: number }
  | {
      readonly kind: 'service-bus';
      readonly path: string;
      readonly port: number;
      readonly topology: TopologySettings;
      readonly partitioned: boolean;
    };

/** What a running peer is told to do, one JSON text a line on its standard input. */
export type PeerCommand =
  | { readonly do: 'lose-answers' | 'be-busy' | 'force-close' | 'detach' }
  /** Undefined: it leads itself. */
  | { readonly do: 'follow'; readonly leader?: LeaderEndpoint };

/** Of so many requests of a kind one fails: often enough to meet every step, seldom enough that a demo comes to its end. */
const BUS_SHARES: Readonly<Partial<Record<Moment, number>>> = {
  send: 40,
  settle: 25,
  token: 10,
  'com.microsoft:renew-lock': 4,
  'com.microsoft:peek-message': 60,
  'com.microsoft:update-disposition': 5,
};
const AFTER_A_CLOSE: readonly Moment[] = [
  'token',
  'com.microsoft:peek-message',
  'com.microsoft:renew-lock',
  'com.microsoft:update-disposition',
];
/** Of the event store, at one command. */
const FAULTS_AT_ONCE = 2;

async function main(order: PeerOrder): Promise<void> {
  const obey = order.kind === 'event-store' ? await startEventStore(order) : await startServiceBus(order);
  createInterface({ input: process.stdin })
    .on('line', (line) => obey(JSON.parse(line) as PeerCommand))
    // It ends with whoever started it, however that went.
    .on('close', () => process.exit(0));
  process.stdout.write('listening\n');
}

async function startEventStore(order: PeerOrder & { kind: 'event-store' }): Promise<(command: PeerCommand) => unknown> {
  const peer = await EventStorePeer.start(order);
  return (command) => {
    switch (command.do) {
      case 'lose-answers':
        return peer.loseAnswers(FAULTS_AT_ONCE);
      case 'be-busy': {
        const failing = (code: status, details: string) => Object.assign(new Error(details), { code, details });
        const exhausted = failing(status.RESOURCE_EXHAUSTED, 'Bandwidth exhausted or memory limit exceeded');
        peer.plan('append', { when: 'before', error: exhausted }, FAULTS_AT_ONCE);
        peer.plan('append', { when: 'after', error: failing(status.ABORTED, 'Operation timed out') }, FAULTS_AT_ONCE);
        return peer.plan('read', { when: 'before', error: exhausted }, FAULTS_AT_ONCE);
      }
      case 'follow':
        return peer.follow(command.leader);
      case 'force-close':
      case 'detach':
        return undefined;
    }
  };
}

async function startServiceBus(order: PeerOrder & { kind: 'service-bus' }): Promise<(command: PeerCommand) => unknown> {
  const topology = declareTopology(order.topology);
  const bus = new SqliteMessageBus({ path: order.path, topology });
  const { path, port, partitioned } = order;
  const peer = new ServiceBusPeer({ bus, path, topology, port, partitioned });
  await peer.listen();
  const failNowAndThen = (fault: Fault, except: readonly Moment[] = []): void => {
    for (const [moment, every] of Object.entries(BUS_SHARES) as [Moment, number][])
      if (!except.includes(moment)) peer.planEvery(moment, every, fault);
  };
  const told = new Set<PeerCommand['do']>();
  return (command) => {
    const isFirst = !told.has(command.do);
    told.add(command.do);
    switch (command.do) {
      case 'lose-answers':
        return isFirst && failNowAndThen('lose-answer');
      case 'be-busy':
        return isFirst && failNowAndThen(SERVICE_ERRORS.busy, ['token']);
      case 'force-close':
        // Now, and later between an effect and its answer. Not at what every client does after a close: one close would
        // then bring about the next.
        if (isFirst) failNowAndThen('force-close', AFTER_A_CLOSE);
        return peer.forceClose();
      case 'detach':
        return peer.detach();
      case 'follow':
        return undefined;
    }
  };
}

void main(JSON.parse(process.argv[2] ?? '{}') as PeerOrder);
