import { setMaxListeners } from 'node:events';
import {
  ServiceBusClient,
  type ServiceBusReceiver,
  type ServiceBusSender,
  type TokenCredential,
} from '@azure/service-bus';
import { PortFailure } from '../../application/ports/failures';
import { type MessageSource } from '../../application/ports/message-bus';
import { type Telemetry } from '../../application/ports/telemetry';
import { SecretInUse } from '../shared/secret-in-use';
import { endClient, guardSdk } from './sdk-guard';
import { isSilence, serviceBusFailure } from './service-bus-failures';

export type ServiceBusAddress =
  | {
      readonly connectionString: string;
      /** Reads the connection string again, after the namespace refused its key. */
      readonly reread?: () => Promise<string>;
    }
  /** Host name such as `name.servicebus.windows.net`, and who we are (Managed Identity, usually). */
  | { readonly namespace: string; readonly credential: TokenCredential };

/** What closing politely may take before the socket is taken away. */
const CLOSE_MAX_MS = 5_000;
/** A request that takes longer has failed; less where locks are short. */
export const REQUEST_LIMIT_MS = 20_000;
const REQUEST_LIMIT_MIN_MS = 1_000;
/** A renewal begins within the first third of a lock: failed after a quarter, it can be repeated before the lock ends. */
const LOCK_SHARE = 4;

/** How long one request may take where messages are locked for so long. */
export const requestLimitMs = (lockMs: number): number =>
  Math.max(REQUEST_LIMIT_MIN_MS, Math.min(REQUEST_LIMIT_MS, lockMs / LOCK_SHARE));

/** What the namespace did not answer, for the failure's words. */
export interface Request {
  readonly step: string;
  readonly facts: PortFailure['facts'];
}

/**
 * The SDK's client, its senders by topic and a receiver for peeking by source. open → open (rebuilt) → closed.
 * Rebuilding replaces the client where the SDK or the namespace has fallen silent: a request reached its limit and
 * nothing at all was answered since it began. Receives under way on the old one end as connection-lost.
 */
export class ServiceBusConnection {
  private client: ServiceBusClient;
  private senders = new Map<string, ServiceBusSender>();
  private peekers = new Map<string, ServiceBusReceiver>();
  private closed = false;
  private readonly secret: SecretInUse;
  /** Answers of any kind, refusals too: while there are some, a lost one is no sign that the connection is dead. */
  private answers = 0;
  private ending = endingOfClient();
  /** Of clients that were replaced, each within CLOSE_MAX_MS. */
  private readonly goodbyes = new Set<Promise<void>>();
  /** Grows with every rebuild, so that a receiver knows that its link belongs to a client of the past. */
  generation = 0;

  constructor(
    private address: ServiceBusAddress,
    private readonly limitMs: number,
    private readonly telemetry: Telemetry | undefined,
  ) {
    this.client = this.newClient();
    const named = 'connectionString' in address ? address : undefined;
    this.secret = new SecretInUse(named?.connectionString ?? '', {
      reread: named?.reread,
      connect: (renewed) => {
        this.address = { connectionString: renewed };
        this.rebuild('its connection string has changed');
      },
    });
  }

  /**
   * Runs work that fails with PortFailure; again on a new connection where the namespace refused the key and there is a
   * new one.
   */
  run<T>(entity: string, work: () => Promise<T>): Promise<T> {
    return this.secret.run(entity, work);
  }

  /** Asks the namespace for something; fails as timed-out at the limit, whatever the SDK does. */
  async request<T>(request: Request, work: () => Promise<T>): Promise<T> {
    const result = await this.watched(request, () => this.limited(request, work));
    this.answered();
    return result;
  }

  /** The same for what may need no answer, such as measuring for a link that may be open already. */
  prepare<T>(request: Request, work: () => Promise<T>): Promise<T> {
    return this.watched(request, () => this.limited(request, work));
  }

  /** For work with a limit of its own. What was thrown is classified; a connection that is dead is replaced. */
  async watched<T>({ step, facts }: Request, work: () => Promise<T>): Promise<T> {
    const { generation, answers } = this;
    try {
      return await work();
    } catch (error) {
      const failure = serviceBusFailure(step, error, facts);
      if (isSilence(failure)) {
        if (this.generation === generation && this.answers === answers)
          this.rebuild(`nothing was answered while it was asked to ${step}`);
      } else if (failure.code !== 'connection-lost') this.answered();
      throw failure;
    }
  }

  /** Something came from the namespace. */
  answered(): void {
    this.answers++;
  }

  /** Aborts when the present client is replaced or closed. */
  get ended(): AbortSignal {
    return this.ending.signal;
  }

  sender(topic: string): ServiceBusSender {
    this.checkOpen(`send to topic ${topic}`);
    const sender = this.senders.get(topic) ?? this.client.createSender(topic);
    this.senders.set(topic, sender);
    return sender;
  }

  /** Looks only: its link is never attached, peeking goes through $management. */
  peeker(source: MessageSource): ServiceBusReceiver {
    const name = nameOf(source);
    const peeker = this.peekers.get(name) ?? this.newReceiver(source);
    this.peekers.set(name, peeker);
    return peeker;
  }

  newReceiver(source: MessageSource): ServiceBusReceiver {
    this.checkOpen(`receive from ${nameOf(source)}`);
    return this.client.createReceiver(source.topic, source.subscription, {
      receiveMode: 'peekLock',
      // The SDK's own renewer is keyed by message id: settling one copy of a message stops the renewal of another.
      maxAutoLockRenewalDurationInMs: 0,
      skipParsingBodyAsJson: true,
      ...(source.deadLetters === true ? { subQueueType: 'deadLetter' as const } : {}),
    });
  }

  rebuild(why: string): void {
    if (this.closed) return;
    const client = this.newClient();
    this.telemetry?.warn('rebuilding the Service Bus connection', { why });
    this.telemetry?.count('service-bus.connection-rebuilt');
    const old = this.client;
    this.generation++;
    const ending = this.ending;
    this.ending = endingOfClient();
    this.senders = new Map();
    this.peekers = new Map();
    this.client = client;
    // Not waited for: the other side may never answer, which is why we are here.
    const goodbye = endClient(old, CLOSE_MAX_MS)
      .catch(() => undefined)
      .finally(() => this.goodbyes.delete(goodbye));
    this.goodbyes.add(goodbye);
    ending.abort();
  }

  /** Afterwards nothing of it keeps the process alive, neither the last client nor one that was replaced. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const last = endClient(this.client, CLOSE_MAX_MS).catch((error: unknown) =>
      this.telemetry?.warn('the Service Bus connection did not close cleanly', { cause: String(error) }),
    );
    await Promise.all([last, ...this.goodbyes]);
  }

  private newClient(): ServiceBusClient {
    // No retries inside the SDK: callers decide, with the failure classified, and hear of it at once.
    const options = { retryOptions: { maxRetries: 0, timeoutInMs: this.limitMs } };
    try {
      const client =
        'connectionString' in this.address
          ? new ServiceBusClient(this.address.connectionString, options)
          : new ServiceBusClient(this.address.namespace, this.address.credential, options);
      guardSdk(client, this.limitMs);
      return client;
    } catch (error) {
      throw serviceBusFailure('read the Service Bus connection settings', error);
    }
  }

  private async limited<T>({ step, facts }: Request, work: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new PortFailure(`failed to ${step}: no answer within ${this.limitMs} ms`, {
              code: 'timed-out',
              retryable: true,
              facts,
            }),
          ),
        this.limitMs,
      );
    });
    try {
      return await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private checkOpen(step: string): void {
    if (this.closed)
      throw new PortFailure(`failed to ${step}: the bus is closed`, { code: 'closed', retryable: false });
  }
}

/** Each receiver that waits listens: Node's warning at 11 listeners would tell of no leak. */
function endingOfClient(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

export const nameOf = ({ topic, subscription, deadLetters }: MessageSource): string =>
  `${topic}/${subscription}${deadLetters === true ? '/dead' : ''}`;
