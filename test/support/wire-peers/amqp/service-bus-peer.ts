import { type AddressInfo, type Server, type Socket } from 'node:net';
import { type Connection, create_container, type EventContext, type Message, type Receiver, type Sender } from 'rhea';
import { type MessageBus, type TopicDeclaration } from '../../../../src/application/ports/message-bus';
import { Entities, sourceOfAddress } from './entity';
import { managementOf, topicManagementOf } from './management-node';
import { ReceivingClient } from './receiving-client';
import { RequestNode } from './request-node';
import { ScheduledMessages } from './scheduled-messages';
import { takeFromSendingClient } from './sending-client';

/** A message or batch, as Azure Service Bus Standard declares it on the link. */
const MESSAGE_SIZE_MAX = 256 * 1024;
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
  private readonly clients = new Set<ReceivingClient>();
  private server: Server | undefined;
  private keyName: string | undefined;
  private forbidden: string | undefined;
  /** How often a client presented a token. */
  tokensAsked = 0;
  private port: number;

  constructor(private readonly options: ServiceBusPeerOptions) {
    this.entities = new Entities(options.bus, options.topology);
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

  /** For both stacks' clients: plain TCP, as the emulator speaks. */
  get connectionString(): string {
    return `Endpoint=sb://127.0.0.1:${this.port};SharedAccessKeyName=peer;SharedAccessKey=a2V5;UseDevelopmentEmulator=true;`;
  }

  async listen(): Promise<void> {
    const server = this.container.listen({
      port: this.port,
      host: '127.0.0.1',
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
    for (const socket of this.sockets) socket.destroy();
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
    socket.on('data', () => {
      if (socket.writable) socket.write(EMPTY_FRAME);
    });
  }

  private onSendingClient(link: Receiver): void {
    const address = String(link.target.address);
    if (this.isForbidden(address)) return unauthorized(link, address);
    const node = this.node(link.connection, address);
    if (node === undefined && !this.entities.hasTopic(address)) return notFound(link, address);
    link.set_source(link.source);
    link.set_target(link.target);
    if (node !== undefined) node.requestsOn(link);
    else takeFromSendingClient(link, this.options.bus, address);
  }

  private onReceivingClient(link: Sender): void {
    const address = String(link.source.address);
    if (this.isForbidden(address)) return unauthorized(link, address);
    const node = this.node(link.connection, address);
    const source = sourceOfAddress(address);
    const entity = this.entities.at(source);
    if (node === undefined && entity === undefined) return notFound(link, address);
    link.set_source(link.source);
    link.set_target(link.target);
    if (node !== undefined) return node.repliesOn(link);
    const client = new ReceivingClient(link, this.options.bus, source!, entity!);
    this.clients.add(client);
    link.on('sender_close', () => this.drop(client));
    link.session.on('session_close', () => this.drop(client));
  }

  private isForbidden(address: string): boolean {
    return this.forbidden !== undefined && address.includes(this.forbidden);
  }

  private drop(client: ReceivingClient): void {
    client.stop();
    this.clients.delete(client);
  }

  private node(connection: Connection, address: string): RequestNode | undefined {
    const nodes = this.nodes.get(connection) ?? new Map<string, RequestNode>();
    this.nodes.set(connection, nodes);
    const node = nodes.get(address) ?? this.newNode(address);
    if (node !== undefined) nodes.set(address, node);
    return node;
  }

  private newNode(address: string): RequestNode | undefined {
    if (address === '$cbs') return new RequestNode((request) => this.putToken(request));
    if (!address.endsWith(MANAGEMENT)) return undefined;
    const { bus, now = Date.now } = this.options;
    const entity = address.slice(0, -MANAGEMENT.length);
    if (this.entities.hasTopic(entity)) return new RequestNode(topicManagementOf(bus, entity, this.scheduled, now));
    const source = sourceOfAddress(entity);
    if (source === undefined || this.entities.at(source) === undefined) return undefined;
    const manage = managementOf(this.entities, now);
    return new RequestNode((request) => manage(source, request));
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

const notFound = (link: Receiver | Sender, address: string): void =>
  link.close({ condition: 'amqp:not-found', description: `The messaging entity '${address}' could not be found.` });

const unauthorized = (link: Receiver | Sender, address: string): void =>
  link.close({
    condition: 'amqp:unauthorized-access',
    description: `Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: '${address}'.`,
  });
