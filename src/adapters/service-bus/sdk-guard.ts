import { type ServiceBusClient } from '@azure/service-bus';
import { invariant } from '../../domain/invariant';

/*
 * Rests on internals of the SDK 7.9.5 (core-amqp 4, rhea-promise 3), which test/adapters/service-bus-faults.test.ts pins.
 */

interface Closable {
  close(options?: unknown): Promise<void>;
}

interface SdkRequests {
  readonly _responsesMap: Map<unknown, { cleanupBeforeResolveOrReject(): void; reject(error: Error): void }>;
}

/** What a request fails with whose connection broke before its answer: whether it took effect is not known. */
export const LOST_WHILE_WAITING = 'the connection was lost before the answer came';

type Create = (options?: unknown) => Promise<Closable>;

interface SdkSession extends Closable {
  createReceiver: Create;
  createSender: Create;
  createAwaitableSender: Create;
}

interface SdkConnection {
  /** Of opening, attaching and closing, each. */
  readonly options: { operationTimeoutInSeconds: number };
  isOpen(): boolean;
  open(options?: unknown): Promise<unknown>;
  createSession(options?: unknown): Promise<SdkSession>;
  on(event: 'disconnected', listener: () => unknown): void;
  /** rhea's own, within rhea-promise's. */
  readonly _connection: { readonly socket?: { readonly destroyed: boolean; destroy(error: Error): void } };
}

/** An SDK receiver, as far as it settles. */
interface SdkSettler {
  readonly _deliveryDispositionMap: Map<number, { readonly timer: NodeJS.Timeout }>;
  settleMessage(message: { readonly delivery: { readonly id: number } }, ...rest: unknown[]): Promise<void>;
}

interface SdkContext {
  readonly connection: SdkConnection;
  readonly managementClients: Readonly<Record<string, { readonly _link?: SdkRequests }>>;
  readonly cbsSession: {
    readonly _cbsSenderReceiverLink?: SdkRequests;
    negotiateClaim(
      audience: string,
      token: string,
      type: unknown,
      options?: { readonly timeoutInMs?: number },
    ): Promise<unknown>;
  };
  /** The receiver that settles what its link brought. */
  getReceiverFromCache(linkName: string, sessionId?: string): SdkSettler | undefined;
  /** After a connection broke: puts another connection and another $cbs session into the context. */
  refreshConnection(): void;
}

/**
 * Where the other side falls silent the SDK
 * - closes links that nobody waits for; when the answer stays away for 60 s, that rejects a promise nobody holds, which
 *   ends a Node process, and the receive it belonged to never returns (azure-sdk-for-js 39348, 35342);
 * - throws in a timer, where a request to $management waited on a link that has gone with its connection meanwhile: it asks
 *   that link for its address, and there is none any more;
 * - leaves requests to $management and $cbs waiting for their whole time when their connection breaks;
 * - waits for ever where the connection breaks while a link is being closed;
 * - waits 60 s for each of connecting, attaching and the token, whatever the operation's own limit is, and holds its
 *   lock on the link meanwhile, so that the next operation waits as well.
 * So each of these has the limit here, and closing never rejects: there is nothing anybody could do about it.
 */
export function guardSdk(client: ServiceBusClient, limitMs: number): void {
  const context = contextOf(client);
  const guardCurrent = (): void => {
    guardConnection(context.connection, limitMs);
    guardReopening(context, limitMs);
    context.connection.on('disconnected', () => failWaiting(requestLinksOf(context)));
    guardTokens(context.cbsSession, limitMs);
  };
  guardCurrent();
  const refresh = context.refreshConnection.bind(context);
  context.refreshConnection = () => {
    const { _connection: replaced } = context.connection;
    refresh();
    replaced.socket?.destroy(new Error('the connection was replaced'));
    guardCurrent();
  };
  guardSettling(context);
}

/**
 * Closes politely within `ms`, then takes the socket away: where the other side never answers nothing else would end it,
 * and it would keep this process alive for as long as its machine believes in it.
 */
export async function endClient(client: ServiceBusClient, ms: number): Promise<void> {
  const context = contextOf(client);
  // Closing forgets them.
  const links = requestLinksOf(context);
  try {
    await within(ms, client.close());
  } finally {
    // Without an error rhea would not hear of it: its heartbeats and its waits for the other side would go on.
    context.connection._connection.socket?.destroy(new Error('the connection was given up'));
    // A renewal whose answer got lost would wait another minute.
    failWaiting(links);
  }
}

function contextOf(client: ServiceBusClient): SdkContext {
  const { _connectionContext: context } = client as unknown as { _connectionContext?: SdkContext };
  invariant(context !== undefined, 'the Service Bus SDK has changed: its client has no connection context to guard');
  return context;
}

/**
 * A connection that ends is not opened again. The SDK does so where a link is wanted between the service's goodbye and the
 * end of the socket, or before it has put another connection in its place. rhea then listens to both sockets and takes
 * the end of the former for that of the new one, which stays open with whatever was attached to it: the service goes on
 * sending to a link that nobody reads, until its messages have been delivered too often. What fails here is repeated on
 * the connection that comes. Where none has come within the limit, this one has to do.
 */
function guardReopening(context: SdkContext, limitMs: number): void {
  const { connection } = context;
  let endedAtMs = -Infinity;
  let opening: Promise<unknown> | undefined;
  const ended = (): void => void (endedAtMs = performance.now());
  connection.on('disconnected', ended);
  const open = connection.open.bind(connection);
  connection.open = async (options) => {
    if (opening !== undefined) return opening;
    const { socket } = connection._connection;
    const isReplaced = context.connection !== connection;
    const isEnding = socket !== undefined && !socket.destroyed && !connection.isOpen();
    if (isEnding) ended();
    if (!isReplaced && performance.now() - endedAtMs > limitMs)
      return (opening = open(options).finally(() => (opening = undefined)));
    const ending = new Error('the connection is ending, the next one is to be used');
    socket?.destroy(ending);
    throw ending;
  };
}

function guardConnection(connection: SdkConnection, limitMs: number): void {
  connection.options.operationTimeoutInSeconds = limitMs / 1_000;
  const createSession = connection.createSession.bind(connection);
  connection.createSession = async (options) => {
    const session = await createSession(options);
    guardClose(session, limitMs);
    for (const create of ['createReceiver', 'createSender', 'createAwaitableSender'] as const) {
      const original = session[create].bind(session);
      session[create] = async (linkOptions) => {
        const link = await original(linkOptions);
        guardClose(link, limitMs);
        guardAddress(link);
        return link;
      };
    }
    return session;
  };
}

/**
 * The SDK's timer of a settling outlives link and connection. What waits for the settling has its own, which holds the
 * process as long as anybody waits.
 */
function guardSettling(context: SdkContext): void {
  const guarded = new WeakSet<SdkSettler>();
  const find = context.getReceiverFromCache.bind(context);
  context.getReceiverFromCache = (...args) => {
    const settler = find(...args);
    if (settler === undefined || guarded.has(settler)) return settler;
    guarded.add(settler);
    const settle = settler.settleMessage.bind(settler);
    settler.settleMessage = (message, ...rest) => {
      const settled = settle(message, ...rest);
      settler._deliveryDispositionMap.get(message.delivery.id)?.timer.unref();
      return settled;
    };
    return settler;
  };
}

const requestLinksOf = ({ managementClients, cbsSession }: SdkContext): readonly SdkRequests[] =>
  [cbsSession._cbsSenderReceiverLink, ...Object.values(managementClients).map(({ _link }) => _link)].filter(
    (link) => link !== undefined,
  );

function failWaiting(links: readonly SdkRequests[]): void {
  for (const { _responsesMap: requests } of links) {
    for (const waiting of requests.values()) {
      waiting.cleanupBeforeResolveOrReject();
      waiting.reject(new Error(LOST_WHILE_WAITING));
    }
    requests.clear();
  }
}

function guardTokens(cbs: SdkContext['cbsSession'], limitMs: number): void {
  const negotiateClaim = cbs.negotiateClaim.bind(cbs);
  cbs.negotiateClaim = (audience, token, type, options) =>
    negotiateClaim(audience, token, type, {
      ...options,
      timeoutInMs: Math.min(limitMs, options?.timeoutInMs ?? limitMs),
    });
}

function guardClose(closable: Closable, limitMs: number): void {
  const close = closable.close.bind(closable);
  closable.close = (options) =>
    within(
      limitMs,
      close(options).catch(() => undefined),
      // Its socket keeps the process alive as long as there is anything to wait for.
      { holdsProcess: false },
    );
}

/** Kept from when the link was open. */
function guardAddress(link: Closable): void {
  let address: unknown;
  try {
    ({ address } = link as { readonly address?: unknown });
  } catch {
    // Gone already.
  }
  Object.defineProperty(link, 'address', { value: address, configurable: true });
}

/** Resolves when the work does or after `ms`, whichever is first. */
export async function within(ms: number, work: Promise<unknown>, { holdsProcess = true } = {}): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
    if (!holdsProcess) timer.unref();
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
