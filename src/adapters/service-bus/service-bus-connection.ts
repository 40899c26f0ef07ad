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
import { serviceBusFailure } from './service-bus-failures';

export type ServiceBusAddress =
  | {
      readonly connectionString: string;
      /** Reads the connection string again, after the namespace refused its key. */
      readonly reread?: () => Promise<string>;
    }
  /** Host name such as `name.servicebus.windows.net`, and who we are (Managed Identity, usually). */
  | { readonly namespace: string; readonly credential: TokenCredential };

/** What closing politely may take before the socket is left to its idle timeout. */
const CLOSE_MAX_MS = 5_000;

/**
 * The SDK's client, its senders by topic and a receiver for peeking by source. open → open (rebuilt) → closed.
 * Rebuilding replaces the client where the SDK has fallen silent: calls under way on the old one fail as connection-lost.
 */
export class ServiceBusConnection {
  private client: ServiceBusClient;
  private senders = new Map<string, ServiceBusSender>();
  private peekers = new Map<string, ServiceBusReceiver>();
  private closed = false;
  private readonly secret: SecretInUse;
  /** Grows with every rebuild, so that a receiver knows that its link belongs to a client of the past. */
  generation = 0;

  constructor(
    private address: ServiceBusAddress,
    private readonly operationTimeoutMs: number,
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
   * Runs work that asks the namespace for something and fails with PortFailure; again on a new connection where the
   * namespace refused the key and there is a new one.
   */
  run<T>(entity: string, work: () => Promise<T>): Promise<T> {
    return this.secret.run(entity, work);
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
    this.senders = new Map();
    this.peekers = new Map();
    this.client = client;
    // Not waited for: the other side may never answer, which is why we are here.
    old.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await within(CLOSE_MAX_MS, this.client.close()).catch((error: unknown) =>
      this.telemetry?.warn('the Service Bus connection did not close cleanly', { cause: String(error) }),
    );
  }

  private newClient(): ServiceBusClient {
    // No retries inside the SDK: callers decide, with the failure classified, and hear of it at once.
    const options = { retryOptions: { maxRetries: 0, timeoutInMs: this.operationTimeoutMs } };
    try {
      return 'connectionString' in this.address
        ? new ServiceBusClient(this.address.connectionString, options)
        : new ServiceBusClient(this.address.namespace, this.address.credential, options);
    } catch (error) {
      throw serviceBusFailure('read the Service Bus connection settings', error);
    }
  }

  private checkOpen(step: string): void {
    if (this.closed)
      throw new PortFailure(`failed to ${step}: the bus is closed`, { code: 'closed', retryable: false });
  }
}

export const nameOf = ({ topic, subscription, deadLetters }: MessageSource): string =>
  `${topic}/${subscription}${deadLetters === true ? '/dead' : ''}`;

/** Resolves when the work does or after `ms`, whichever is first. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
