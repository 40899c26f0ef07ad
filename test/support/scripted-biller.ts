import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, type Socket } from 'node:net';

export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
export type Reaction = (response: ServerResponse, request: ReceivedRequest, socket: Socket) => void;

/** A biller on a real socket that does what the test says and remembers every request it got. */
export interface ScriptedBiller {
  readonly baseUrl: string;
  readonly received: ReceivedRequest[];
  /** Requests other than those for tokens. */
  business(): ReceivedRequest[];
  react: Reaction;
  token: Reaction;
  close(): Promise<void>;
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Reaction =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

export const accepted = json(200, { status: 'accepted', reference: 'R-1' });

/** With a certificate it speaks https. */
export async function startScriptedBiller(tls?: {
  readonly certificate: Buffer;
  readonly key: Buffer;
}): Promise<ScriptedBiller> {
  const sockets = new Set<Socket>();
  let tokens = 0;
  const received: ReceivedRequest[] = [];
  /** Only the TCP connection below TLS can be reset. */
  const resettable = (socket: Socket): Socket => {
    const wire = [...sockets].find(({ remotePort }) => remotePort === socket.remotePort);
    return wire === undefined || wire === socket
      ? socket
      : Object.assign(socket, { resetAndDestroy: () => wire.resetAndDestroy() });
  };
  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request = {
        method: incoming.method!,
        url: incoming.url!,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
      };
      received.push(request);
      (request.url === '/oauth/token' ? biller.token : biller.react)(response, request, resettable(incoming.socket));
    });
  };
  const server =
    tls === undefined ? createServer(listener) : createTlsServer({ cert: tls.certificate, key: tls.key }, listener);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const biller: ScriptedBiller = {
    baseUrl: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    business: () => received.filter((request) => request.url !== '/oauth/token'),
    react: accepted,
    token: (response, request, socket) =>
      json(200, { access_token: `token-${++tokens}`, token_type: 'Bearer', expires_in: 3600 })(
        response,
        request,
        socket,
      ),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return biller;
}
