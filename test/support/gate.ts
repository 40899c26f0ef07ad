import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A way to a Redis that can be shut, reopened at the same port, and made to swallow what is sent. */
export class Gate {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private hanging = false;
  private port = 0;

  private constructor(private readonly behind: URL) {}

  static async open(url: string): Promise<Gate> {
    const gate = new Gate(new URL(url));
    await gate.reopen();
    return gate;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async reopen(): Promise<void> {
    const server = createServer((inner) => {
      const outer = connect(Number(this.behind.port || 6379), this.behind.hostname);
      for (const socket of [inner, outer]) {
        this.sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => [inner, outer].forEach((end) => end.destroy()));
      }
      inner.on('data', (chunk) => this.hanging || outer.write(chunk));
      outer.on('data', (chunk) => this.hanging || inner.write(chunk));
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  hang(): void {
    this.hanging = true;
  }

  async shut(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const socket of this.sockets) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }
}
