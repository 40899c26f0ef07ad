import { type AddressInfo, type Server, type Socket } from 'node:net';
import { type Connection, create_container, type EventContext, type Message, type Receiver, type Sender } from 'rhea';
import { type MessageBus, type TopicDeclaration } from '../../../../src/application/ports/message-bus';
import { Entities, sourceOfAddress } from './entity';
import { managementOf, topicManagementOf } from './management-node';
import { type Fault, type Moment, PlannedFaults, type ServiceError, SERVICE_ERRORS } from './planned-faults';
import { ReceivingClient } from './receiving-client';
import { type Answer, RequestNode } from './request-node';
import { ScheduledMessages } from './scheduled-messages';
import { takeFromSendingClient } from './sending-client';

/** A message or batch, as Azure Service Bus Standard declares it on the link. */
const MESSAGE_SIZE_MAX = 256 * 1024;
/** What the service declares when a connection opens: the client then sends a heartbeat every half of it. */
const IDLE_TIME_OUT_MS = 240_000;
/** So long the service waits for the other side's close. */
const CLOSE_ANSWER_MS = 1_000;
const EMPTY_FRAME = Buffer.from([0, 0, 0, 8, 2, 0, 0, 0]);
const MANAGEMENT = '/$management';

export interface ServiceBusPeerOptions {
  readonly bus: MessageBus;
  /** The bus' file. */
  readonly path: string;
  readonly topology: readonly TopicDeclaration[];
  /** The bus' clock, milliseconds since 1970. */
  readonly now?: () => number;
  /** 0: any free port. */
  readonly port?: number;
  /** A token the client must present at $cbs contains this; undefined: any token is good. */
  readonly keyName?: string;
  /** All topics are partitioned: batches to those that detect duplicates are refused. */
  readonly partitioned?: boolean;
}

/**
 * Speaks AMQP 1.0 as `@azure/service-bus` expects it, over an embedded bus: the real SDK runs against it without a
 * cloud. closed → listening → closed, any number of times; clients see a lost connection in between.
 */
export class ServiceBusPeer {
  private readonly entities: Entities;
  private readonly container;
  private readonly scheduled: ScheduledMessages;
  private readonly nodes = new WeakMap<Connection, Map<string, RequestNode>>();
  private readonly sockets = new Set<Socket>();
  private readonly connections = new WeakMap<Socket, Connection>();
  private readonly clients = new Set<ReceivingClient>();
  private readonly sendingLinks = new Set<Receiver>();
  private readonly faults = new PlannedFaults();
  refusedBatches = 0;
  /** Requests that arrived, by kind. */
  readonly asked = new Map<Moment, number>();
  private server: Server | undefined;
  private keyName: string | undefined;
  private forbidden: string | undefined;
  /** How often a client presented a token. */
  tokensAsked = 0;
  private port: number;

  constructor(private readonly options: ServiceBusPeerOptions) {
    this.entities = new Entities(options.bus, options.topology, options.partitioned);
    this.scheduled = new ScheduledMessages(options.path);
    this.keyName = options.keyName;
    this.port = options.port ?? 0;
    this.container = create_container({ id: 'service-bus-peer' });
    this.container.on('connection_open', ({ connection }: EventContext) => this.answerEachChunk(connection));
    this.container.on('receiver_open', ({ receiver }: EventContext) => this.onSendingClient(receiver!));
    this.container.on('sender_open', ({ sender }: EventContext) => this.onReceivingClient(sender!));
    // Clients that vanish are this peer's daily bread: without listeners rhea throws.
    for (const event of ['error', 'connection_error', 'protocol_error']) this.container.on(event, () => undefined);
    this.container.on('disconnected', ({ connection }: EventContext) => {
      for (const client of this.clients) if (client.link.connection === connection) this.drop(client);
    });
  }

  get listeningPort(): number {
    return this.port;
  }

  /** Connections that no side has closed. */
  get openConnections(): number {
    return this.sockets.size;
  }

  /** Of clients that receive messages. */
  get receivingLinks(): number {
    return this.clients.size;
  }

  /** For both stacks' clients: plain TCP, as the emulator speaks. */
  get connectionString(): string {
    return `Endpoint=sb://127.0.0.1:${this.port};SharedAccessKeyName=peer;SharedAccessKey=a2V5;UseDevelopmentEmulator=true;`;
  }

  async listen(): Promise<void> {
    const server = this.container.listen({
      port: this.port,
      host: '127.0.0.1',
      idle_time_out: IDLE_TIME_OUT_MS,
      receiver_options: { max_message_size: MESSAGE_SIZE_MAX, autoaccept: false },
      sender_options: { treat_modified_as_released: false },
    } as never) as Server;
    this.server = server;
    server.on('connection', (socket: Socket) => {
      socket.setNoDelay(true);
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('listening', resolve);
      server.once('error', reject);
    });
    this.port = (server.address() as AddressInfo).port;
  }

  /** Pulls the plug: connections break off, new ones are refused until `listen`. The bus goes on. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) =>
      this.server === undefined ? resolve() : this.server.close(() => resolve()),
    );
    this.server = undefined;
    for (const client of this.clients) client.stop();
    this.clients.clear();
    // With an error, since rhea hears of nothing else: its heartbeat would go on, and keep this process alive.
    for (const socket of this.sockets) socket.destroy(new Error('the plug was pulled'));
    await closed;
  }

  /** For good. */
  async stop(): Promise<void> {
    await this.close();
    this.scheduled.close();
  }

  /** Only tokens of this key are good from here on; those presented before are not asked for again, as in Azure. */
  changeKey(keyName: string): void {
    this.keyName = keyName;
  }

  /** From here on the client lacks the right to listen at entities whose address holds this word. */
  forbid(word: string): void {
    this.forbidden = word;
  }

  /** The next so many requests of this kind fail so. */
  plan(at: Moment, fault: Fault, count = 1): void {
    this.faults.plan(at, fault, count);
  }

  /** From here on every n-th request of this kind fails so. */
  planEvery(at: Moment, every: number, fault: Fault): void {
    this.faults.planEvery(at, every, fault);
  }

  /** Says goodbye to every client as the service does before an upgrade; new connections are taken at once. */
  forceClose(): void {
    for (const socket of this.sockets) this.closeConnection(this.connections.get(socket));
  }

  /** Closes every link that sends or receives messages, not the connections. */
  detach(error: ServiceError = SERVICE_ERRORS.detached): void {
    for (const { link } of this.clients) link.close(error);
    for (const link of this.sendingLinks) link.close(error);
  }

  /** From here on the open connections are silent, neither answered nor closed; new ones work. */
  freeze(): void {
    for (const socket of this.sockets) socket.pause();
  }

  /** From here on the open receiving links get no message, though drains are answered; new ones work. */
  mute(): void {
    for (const client of this.clients) client.muted = true;
  }

  /** From here on the open receiving links have their drains answered so much later; new ones at once. */
  slowDrains(ms: number): void {
    for (const client of this.clients) client.drainDelayMs = ms;
  }

  /** Nagle and delayed acknowledgement would cost 40 ms a round trip: an empty frame carries the acknowledgement. */
  private answerEachChunk(connection: Connection): void {
    const { socket } = connection as unknown as { socket: Socket };
    this.connections.set(socket, connection);
    socket.on('data', () => {
      if (socket.writable) socket.write(EMPTY_FRAME);
    });
  }

  private onSendingClient(link: Receiver): void {
    const address = String(link.target.address);
    if (this.isForbidden(address)) return unauthorized(link, address);
    const node = this.node(link.connection, address);
    if (node === undefined && !this.entities.hasTopic(address)) return notFound(link, address);
    if (node === undefined && this.isRefused(link)) return;
    link.set_source(link.source);
    link.set_target(link.target);
    if (node !== undefined) return node.requestsOn(link);
    this.sendingLinks.add(link);
    link.on('receiver_close', () => this.sendingLinks.delete(link));
    link.session.on('session_close', () => this.sendingLinks.delete(link));
    takeFromSendingClient(link, {
      bus: this.options.bus,
      topic: address,
      refusesBatch: () => this.entities.refusesBatches(address) && ++this.refusedBatches > 0,
      nextFault: () => this.next('send'),
      forceClose: () => this.closeConnection(link.connection),
    });
  }

  private onReceivingClient(link: Sender): void {
    const address = String(link.source.address);
    if (this.isForbidden(address)) return unauthorized(link, address);
    const node = this.node(link.connection, address);
    const source = sourceOfAddress(address);
    const entity = this.entities.at(source);
    if (node === undefined && entity === undefined) return notFound(link, address);
    if (node === undefined && this.isRefused(link)) return undefined;
    link.set_source(link.source);
    link.set_target(link.target);
    if (node !== undefined) return node.repliesOn(link);
    const faults = { next: () => this.next('settle'), forceClose: () => this.closeConnection(link.connection) };
    const client = new ReceivingClient(link, this.options.bus, source!, entity!, faults, this.options.now ?? Date.now);
    this.clients.add(client);
    link.on('sender_close', () => this.drop(client));
    link.session.on('session_close', () => this.drop(client));
  }

  private isForbidden(address: string): boolean {
    return this.forbidden !== undefined && address.includes(this.forbidden);
  }

  private isRefused(link: Receiver | Sender): boolean {
    const fault = this.next('attach');
    if (typeof fault === 'object') link.close(fault);
    return fault !== undefined;
  }

  private next(at: Moment): Fault | undefined {
    this.asked.set(at, (this.asked.get(at) ?? 0) + 1);
    return this.faults.take(at);
  }

  /** Nothing more is sent on its links; a client that does not answer loses its socket a moment later. */
  private closeConnection(connection: Connection | undefined): void {
    if (connection === undefined) return;
    for (const client of this.clients) if (client.link.connection === connection) this.drop(client);
    connection.close({
      condition: 'amqp:connection:forced',
      description:
        "The connection was closed by container 'service-bus-peer' because it did not have any active links.",
    });
    const { socket } = connection as unknown as { socket: Socket };
    const last = setTimeout(() => socket.destroy(new Error('the client did not close')), CLOSE_ANSWER_MS);
    socket.once('close', () => clearTimeout(last));
  }

  private drop(client: ReceivingClient): void {
    client.stop();
    this.clients.delete(client);
  }

  private node(connection: Connection, address: string): RequestNode | undefined {
    const nodes = this.nodes.get(connection) ?? new Map<string, RequestNode>();
    this.nodes.set(connection, nodes);
    const node = nodes.get(address) ?? this.newNode(connection, address);
    if (node !== undefined) nodes.set(address, node);
    return node;
  }

  private newNode(connection: Connection, address: string): RequestNode | undefined {
    const forceClose = (): void => this.closeConnection(connection);
    if (address === '$cbs')
      return new RequestNode(
        (request) => this.putToken(request),
        () => this.next('token'),
        forceClose,
      );
    const answerTo = this.managementAt(address);
    return answerTo && new RequestNode(answerTo, (request) => this.next(operationOf(request)), forceClose);
  }

  private managementAt(address: string): ((request: Message) => Promise<Answer>) | undefined {
    if (!address.endsWith(MANAGEMENT)) return undefined;
    const { bus, now = Date.now } = this.options;
    const entity = address.slice(0, -MANAGEMENT.length);
    if (this.entities.hasTopic(entity)) return topicManagementOf(bus, entity, this.scheduled, now);
    const source = sourceOfAddress(entity);
    if (source === undefined || this.entities.at(source) === undefined) return undefined;
    const manage = managementOf(this.entities, now);
    return (request) => manage(source, request);
  }

  private putToken({ body }: Message): { status: number; description?: string; condition?: string } {
    const { keyName } = this;
    this.tokensAsked++;
    if (keyName === undefined || String(body).includes(`skn=${keyName}`))
      return { status: 202, description: 'Accepted' };
    return {
      status: 401,
      condition: 'amqp:unauthorized-access',
      description: 'InvalidSignature: The token has an invalid signature.',
    };
  }
}

const operationOf = ({ application_properties }: Message): Moment =>
  String(application_properties?.['operation']) as Moment;

const notFound = (link: Receiver | Sender, address: string): void =>
  link.close({ condition: 'amqp:not-found', description: `The messaging entity '${address}' could not be found.` });

const unauthorized = (link: Receiver | Sender, address: string): void =>
  link.close({
    condition: 'amqp:unauthorized-access',
    description: `Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: '${address}'.`,
  });
