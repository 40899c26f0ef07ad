import { PortFailure } from '../../../../src/application/ports/failures';
import {
  type MessageBus,
  type MessageReceiver,
  type MessageSource,
  type PeekedMessage,
  type ReceivedMessage,
  type TopicDeclaration,
} from '../../../../src/application/ports/message-bus';

const SUBSCRIPTION = /^([^/]+)\/Subscriptions\/([^/]+?)(\/\$DeadLetterQueue)?$/i;

export function sourceOfAddress(address: string): MessageSource | undefined {
  const [, topic, subscription, deadLetters] = SUBSCRIPTION.exec(address) ?? [];
  if (topic === undefined || subscription === undefined) return undefined;
  return { topic, subscription, deadLetters: deadLetters !== undefined };
}

type Properties = ReceivedMessage['properties'];

/** A subscription, or its dead letters, and what is locked there: settling and renewing go by lock token alone. */
export class Entity {
  private readonly settler: MessageReceiver;
  private readonly byToken = new Map<string, ReceivedMessage>();
  private readonly tokenOf = new Map<string, string>();

  constructor(
    bus: MessageBus,
    source: MessageSource,
    /** Properties that abandoning or dead-lettering changed, by message id; a subscription shares them with its dead letters. */
    private readonly modified: Map<string, Properties>,
  ) {
    this.settler = bus.receiver(source);
  }

  /** The message with the properties that an earlier settling gave it. */
  withModified<Message extends PeekedMessage>(message: Message): Message {
    const changes = this.modified.get(message.messageId);
    return changes === undefined ? message : { ...message, properties: { ...message.properties, ...changes } };
  }

  modify(messageId: string, changes: Properties): void {
    if (Object.keys(changes).length > 0) this.modified.set(messageId, { ...this.modified.get(messageId), ...changes });
  }

  /** A message that is received again has lost its older lock. */
  locked(message: ReceivedMessage): void {
    this.forget(this.tokenOf.get(message.sequenceNumber));
    this.byToken.set(message.lockToken, message);
    this.tokenOf.set(message.sequenceNumber, message.lockToken);
  }

  async settle(
    token: string,
    how: (settler: MessageReceiver, message: ReceivedMessage) => Promise<void>,
  ): Promise<void> {
    await how(this.settler, this.held(token));
    this.forget(token);
  }

  async renew(token: string): Promise<string> {
    return this.settler.renewLock(this.held(token));
  }

  private held(token: string): ReceivedMessage {
    const message = this.byToken.get(token);
    if (message !== undefined) return message;
    throw new PortFailure('The lock supplied is invalid. Either the lock expired, or the message has been removed', {
      code: 'lock-lost',
      retryable: false,
    });
  }

  private forget(token: string | undefined): void {
    if (token === undefined) return;
    const message = this.byToken.get(token);
    this.byToken.delete(token);
    if (message !== undefined) this.tokenOf.delete(message.sequenceNumber);
  }
}

/** The entities of one broker by their source, made when first asked for. */
export class Entities {
  private readonly entities = new Map<string, Entity>();
  private readonly modified = new Map<string, Map<string, Properties>>();

  constructor(
    readonly bus: MessageBus,
    private readonly topology: readonly TopicDeclaration[],
    private readonly partitioned = false,
  ) {}

  hasTopic(name: string): boolean {
    return this.topology.some((topic) => topic.name === name);
  }

  /** Then a send must be of one message: Service Bus refuses batches of distinct message ids there. */
  refusesBatches(topic: string): boolean {
    return (
      this.partitioned &&
      this.topology.some(({ name, duplicateDetectionWindowMs }) => name === topic && duplicateDetectionWindowMs > 0)
    );
  }

  /** undefined: nothing of that address is declared. */
  at(source: MessageSource | undefined): Entity | undefined {
    const topic = this.topology.find(({ name }) => name === source?.topic);
    if (source === undefined || !topic?.subscriptions.some(({ name }) => name === source.subscription))
      return undefined;
    const key = JSON.stringify([source.topic, source.subscription, source.deadLetters === true]);
    const shared = `${source.topic}/${source.subscription}`;
    const modified = this.modified.get(shared) ?? new Map<string, Properties>();
    this.modified.set(shared, modified);
    const entity = this.entities.get(key) ?? new Entity(this.bus, source, modified);
    this.entities.set(key, entity);
    return entity;
  }
}
