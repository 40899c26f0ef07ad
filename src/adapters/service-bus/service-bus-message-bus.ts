import { type ServiceBusMessage, type ServiceBusReceivedMessage } from '@azure/service-bus';
import Long from 'long';
import { type Clock } from '../../application/ports/clock';
import {
  MESSAGES_PER_CALL_MAX,
  type MessageBus,
  type MessageReceiver,
  type MessageSource,
  type OutgoingMessage,
  type PeekedMessage,
  type SubscriptionDepth,
} from '../../application/ports/message-bus';
import { type Telemetry } from '../../application/ports/telemetry';
import { invariant } from '../../domain/invariant';
import { HUNG_AFTER_MS, SILENT_AFTER_MS } from './message-pull';
import { toPeeked } from './message-translation';
import { outgoingBatches } from './outgoing-batches';
import { nameOf, REQUEST_LIMIT_MS, type ServiceBusAddress, ServiceBusConnection } from './service-bus-connection';
import { isBatchRefusal } from './service-bus-failures';
import { ServiceBusMessageReceiver } from './service-bus-receiver';
import { checkPeek } from '../shared/port-terms';

/** A sequence number is 64 bits. */
const SEQUENCE_DIGITS_MAX = 19;

export type ServiceBusMessageBusOptions = ServiceBusAddress & {
  readonly clock: Clock;
  readonly telemetry?: Telemetry;
  /** Of one message and of one batch; undefined: what the link declares, 1 MB at most. */
  readonly messageBytesMax?: number;
  /** A send, a peek, a settling or a renewal that takes longer has failed as timed-out; see requestLimitMs. */
  readonly operationTimeoutMs?: number;
  /** The topics are partitioned: no batches. Where it is not said, the first refused batch tells, once per topic. */
  readonly partitioned?: boolean;
  readonly hungAfterMs?: number;
  readonly silentAfterMs?: number;
};

/** Messages that go alone under way at once: each is a transfer of its own. */
const ALONE_AT_ONCE_MAX = 32;
/** Counting stops here, since it looks at every message: a depth of this much means "at least so many". */
const DEPTH_MAX = 5_000;

/** Azure Service Bus through its SDK. Services need the rights to send and listen alone, never to manage. */
export class ServiceBusMessageBus implements MessageBus {
  private readonly connection: ServiceBusConnection;
  private readonly receivers = new Set<MessageReceiver>();
  /** Topics that refused a batch. */
  private readonly withoutBatches = new Set<string>();

  constructor(private readonly options: ServiceBusMessageBusOptions) {
    const { operationTimeoutMs = REQUEST_LIMIT_MS, telemetry } = options;
    this.connection = new ServiceBusConnection(options, operationTimeoutMs, telemetry);
  }

  async send(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    invariant(
      messages.length <= MESSAGES_PER_CALL_MAX,
      `a call sends at most ${MESSAGES_PER_CALL_MAX} messages, got ${messages.length}`,
    );
    if (messages.length === 0) return;
    await this.connection.run(topic, () => this.sendOnce(topic, messages));
  }

  receiver(source: MessageSource): MessageReceiver {
    const { clock, telemetry, hungAfterMs = HUNG_AFTER_MS, silentAfterMs = SILENT_AFTER_MS } = this.options;
    const { connection } = this;
    const onClose = (): void => void this.receivers.delete(receiver);
    const receiver = new ServiceBusMessageReceiver({
      connection,
      source,
      clock,
      telemetry,
      hungAfterMs,
      silentAfterMs,
      onClose,
    });
    this.receivers.add(receiver);
    return receiver;
  }

  async peek(
    source: MessageSource,
    options: { readonly after?: string; readonly max: number },
  ): Promise<readonly PeekedMessage[]> {
    const { after = '0', max } = options;
    checkPeek(after, max, SEQUENCE_DIGITS_MAX);
    const found: PeekedMessage[] = [];
    for await (const page of this.pages(source, after, max)) found.push(...page.map(toPeeked));
    return found;
  }

  /**
   * Counted by looking, since the service tells its own counts only to who may manage it: at most
   * DEPTH_MAX of each kind. A scheduled message waits in the topic until its time, and no peek at a subscription shows it
   * (learn.microsoft.com/azure/service-bus-messaging/message-browsing).
   */
  async depth(source: { readonly topic: string; readonly subscription: string }): Promise<SubscriptionDepth> {
    const { topic, subscription } = source;
    let active = 0;
    let deadLettered = 0;
    for await (const page of this.pages({ topic, subscription }, '0', DEPTH_MAX)) active += page.length;
    for await (const page of this.pages({ topic, subscription, deadLetters: true }, '0', DEPTH_MAX))
      deadLettered += page.length;
    return { active, scheduled: undefined, deadLettered };
  }

  /** Ends waiting receives, closes links, then the connection. What is unsettled comes back when its lock lapses. */
  async close(): Promise<void> {
    await Promise.all([...this.receivers].map((receiver) => receiver.close()));
    await this.connection.close();
  }

  private async sendOnce(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    const request = { step: `send ${messages.length} message(s) to topic ${topic}`, facts: { topic } };
    const { messageBytesMax, partitioned, telemetry } = this.options;
    const sender = this.connection.sender(topic);
    const outgoing = await this.connection.prepare(request, () =>
      outgoingBatches(sender, topic, messages, messageBytesMax),
    );
    const send = (what: Parameters<typeof sender.sendMessages>[0]): Promise<void> =>
      this.connection.request(request, () => sender.sendMessages(what));
    const sendAlone = async (alone: readonly ServiceBusMessage[]): Promise<void> => {
      for (let at = 0; at < alone.length; at += ALONE_AT_ONCE_MAX)
        await Promise.all(alone.slice(at, at + ALONE_AT_ONCE_MAX).map(send));
    };
    // One after the other: what was sent earlier stands earlier.
    for (const { batch, messages: ofBatch } of outgoing.batches) {
      if (partitioned === true || this.withoutBatches.has(topic)) {
        await sendAlone(ofBatch);
        continue;
      }
      try {
        await send(batch);
      } catch (error) {
        if (!isBatchRefusal(error)) throw error;
        // Nothing of it was taken.
        this.withoutBatches.add(topic);
        telemetry?.warn(
          'a topic refuses batches, its messages are sent one by one: set ServiceBus:Partitioned to true',
          {
            topic,
          },
        );
        await sendAlone(ofBatch);
      }
    }
    await sendAlone(outgoing.scheduled);
  }

  private async *pages(
    source: MessageSource,
    after: string,
    max: number,
  ): AsyncGenerator<readonly ServiceBusReceivedMessage[]> {
    let from = Long.fromString(after).add(1);
    let room = max;
    while (room > 0) {
      const page = await this.page(source, from, Math.min(room, MESSAGES_PER_CALL_MAX));
      if (page.length === 0) return;
      yield page;
      room -= page.length;
      from = page.at(-1)!.sequenceNumber!.add(1);
    }
  }

  private page(source: MessageSource, fromSequenceNumber: Long, max: number) {
    const name = nameOf(source);
    return this.connection.run(name, () =>
      this.connection.request({ step: `peek at ${name}`, facts: { source: name } }, () =>
        this.connection.peeker(source).peekMessages(max, { fromSequenceNumber }),
      ),
    );
  }
}
