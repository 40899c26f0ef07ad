import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A TCP proxy that can fall silent as a network does that forgot a connection: what comes is read, nothing is answered,
 * nobody hears of an end. speaking → silent for open connections | for all → speaking; a connection once silenced stays so.
 */
export class SilentProxy {
  private readonly pairs = new Set<Pair>();
  private silent = false;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async to(targetPort: number, port = 0): Promise<SilentProxy> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    const proxy = new SilentProxy(server, (server.address() as AddressInfo).port);
    server.on('connection', (client) => proxy.join(client, targetPort));
    return proxy;
  }

  /** New connections work. */
  silenceOpenConnections(): void {
    for (const pair of this.pairs) silence(pair);
  }

  /** New connections are taken, read and not answered either. */
  fallSilent(): void {
    this.silent = true;
    this.silenceOpenConnections();
  }

  /** For connections from here on. */
  speak(): void {
    this.silent = false;
  }

  /** Connections whose other side still holds them, silenced ones too. */
  get openConnections(): number {
    return this.pairs.size;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const { client, upstream } of this.pairs) {
      client.destroy();
      upstream?.destroy();
    }
    await closed;
  }

  private join(client: Socket, targetPort: number): void {
    client.setNoDelay(true);
    client.on('error', () => undefined);
    const pair: Pair = { client, upstream: undefined };
    this.pairs.add(pair);
    client.once('close', () => this.pairs.delete(pair));
    if (this.silent) return void client.resume();
    const upstream = connect(targetPort, '127.0.0.1');
    pair.upstream = upstream;
    upstream.setNoDelay(true);
    upstream.on('error', () => undefined);
    upstream.once('close', () => client.destroy());
    client.once('close', () => upstream.destroy());
    client.pipe(upstream).pipe(client);
  }
}

interface Pair {
  readonly client: Socket;
  upstream: Socket | undefined;
}

/** The server keeps its end open as well: what it has locked for this client stays locked until that lapses. */
function silence({ client, upstream }: Pair): void {
  client.unpipe();
  client.resume();
  upstream?.unpipe();
  upstream?.removeAllListeners('close');
  upstream?.resume();
}
