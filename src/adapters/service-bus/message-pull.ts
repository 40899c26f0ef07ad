import { type ServiceBusReceivedMessage, type ServiceBusReceiver } from '@azure/service-bus';
import { type Clock } from '../../application/ports/clock';
import { PortFailure } from '../../application/ports/failures';
import { type MessageSource } from '../../application/ports/message-bus';
import { type Telemetry } from '../../application/ports/telemetry';
import { within } from './sdk-guard';
import { byLockToken } from './sdk-settling';
import { nameOf, type ServiceBusConnection } from './service-bus-connection';

/** Beyond its wait a receive may take this long (connecting, draining) before the SDK counts as hung. */
export const HUNG_AFTER_MS = 30_000;
/** A link that brought nothing for so long is replaced, whether or not there was something to bring. */
export const SILENT_AFTER_MS = 120_000;
/**
 * A link that brought so many messages is replaced. rhea has room for 2,048 deliveries a session and frees it from the
 * oldest alone: one message held through an outage, or whose settling was never answered, would end all receiving
 * once so many others came after it (amqp/rhea 452).
 */
const LINK_MESSAGES_MAX = 2_000;
const CLOSE_LINK_MAX_MS = 2_000;

export interface PullParts {
  readonly connection: ServiceBusConnection;
  readonly source: MessageSource;
  readonly clock: Clock;
  readonly telemetry: Telemetry | undefined;
  readonly hungAfterMs: number;
  readonly silentAfterMs: number;
}

/**
 * One link that fetches messages only when asked, with the watchdog over it. unattached → attached → replaced …
 * The SDK's receive is known to hang for ever and to run on a link that brings nothing (azure-sdk-for-js 7689, 6065,
 * 8341): the first costs the connection, the second the link.
 */
export class MessagePull {
  private receiver: ServiceBusReceiver | undefined;
  private generation = -1;
  private broughtByLink = 0;
  private lastArrivalMs: number;

  constructor(private readonly parts: PullParts) {
    this.lastArrivalMs = parts.clock.monotonicMs();
  }

  /** Also settles and renews what older links brought: the SDK then goes by lock token through $management. */
  current(): ServiceBusReceiver {
    const { connection, source } = this.parts;
    if (this.receiver === undefined || this.generation !== connection.generation) {
      this.receiver = connection.newReceiver(source);
      this.generation = connection.generation;
      this.broughtByLink = 0;
    }
    return this.receiver;
  }

  /** At most `max` messages: at once when that many are there, else what came within `waitMs`. */
  pull(max: number, waitMs: number): Promise<readonly ServiceBusReceivedMessage[]> {
    const { connection, source } = this.parts;
    return connection.run(nameOf(source), () => this.pullOnce(max, waitMs));
  }

  async close(): Promise<void> {
    if (this.receiver !== undefined) await within(CLOSE_LINK_MAX_MS, this.receiver.close()).catch(() => undefined);
  }

  private async pullOnce(max: number, waitMs: number): Promise<readonly ServiceBusReceivedMessage[]> {
    const { clock, connection, source, hungAfterMs } = this.parts;
    this.replaceWhenSilent();
    if (this.broughtByLink + max > LINK_MESSAGES_MAX) this.replaceLink();
    const step = `receive from ${nameOf(source)}`;
    const done = new AbortController();
    try {
      return await connection.watched({ step, facts: { source: nameOf(source) } }, async () => {
        const receiver = this.current();
        const replaced = aborted(connection.ended, done.signal);
        const receiving = receiver.receiveMessages(max, {
          maxWaitTimeInMs: Math.max(1, Math.min(waitMs, this.untilSilentMs())),
        });
        const hung = clock.sleep(waitMs + hungAfterMs, done.signal).then(() => 'hung' as const);
        const messages = await Promise.race([receiving, hung, replaced]);
        if (messages === 'hung') throw this.hung(step, receiver, receiving);
        if (messages === 'aborted') throw this.replaced(step, receiver, receiving);
        if (messages.length > 0) {
          this.lastArrivalMs = clock.monotonicMs();
          this.broughtByLink += messages.length;
          connection.answered();
        }
        return messages;
      });
    } finally {
      done.abort();
    }
  }

  private hung(
    step: string,
    receiver: ServiceBusReceiver,
    receiving: Promise<readonly ServiceBusReceivedMessage[]>,
  ): PortFailure {
    const { connection, source, telemetry } = this.parts;
    telemetry?.count('service-bus.receive-hung');
    giveBack(receiver, receiving);
    connection.rebuild(`a receive from ${nameOf(source)} did not return`);
    return new PortFailure(`failed to ${step}: the client did not return, its connection is replaced`, {
      code: 'timed-out',
      retryable: true,
      facts: { source: nameOf(source) },
    });
  }

  private replaced(
    step: string,
    receiver: ServiceBusReceiver,
    receiving: Promise<readonly ServiceBusReceivedMessage[]>,
  ): PortFailure {
    giveBack(receiver, receiving);
    return new PortFailure(`failed to ${step}: its connection was replaced or closed meanwhile`, {
      code: 'connection-lost',
      retryable: true,
      facts: { source: nameOf(this.parts.source) },
    });
  }

  private untilSilentMs(): number {
    return this.lastArrivalMs + this.parts.silentAfterMs - this.parts.clock.monotonicMs();
  }

  private replaceWhenSilent(): void {
    const { clock, source, telemetry } = this.parts;
    if (this.untilSilentMs() > 0) return;
    this.lastArrivalMs = clock.monotonicMs();
    if (this.receiver === undefined) return;
    telemetry?.count('service-bus.link-replaced', 1, { source: nameOf(source) });
    this.replaceLink();
  }

  /** What it brought is settled by lock token from here on. */
  private replaceLink(): void {
    this.receiver?.close().catch(() => undefined);
    this.receiver = undefined;
  }
}

/** What a given-up receive may still bring goes back at once instead of waiting for its lock to lapse. */
function giveBack(receiver: ServiceBusReceiver, receiving: Promise<readonly ServiceBusReceivedMessage[]>): void {
  receiving
    .then((late) => Promise.all(late.map((message) => receiver.abandonMessage(byLockToken(message)))))
    .catch(() => undefined);
}

/** Resolves when `signal` aborts; forgotten once `until` does. */
export const aborted = (signal: AbortSignal, until: AbortSignal): Promise<'aborted'> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true, signal: until });
  });
