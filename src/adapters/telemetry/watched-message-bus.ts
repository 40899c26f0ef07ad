import { type Attributes, SpanKind } from '@opentelemetry/api';
import {
  type MessageBus,
  type MessageReceiver,
  type MessageSource,
  type OutgoingMessage,
  type ReceivedMessage,
} from '../../application/ports/message-bus';
import { type Instruments } from '../../application/ports/telemetry';
import { type ChunkId } from '../../domain/identifiers';
import { delegate } from './delegate';
import { type FailureLines } from './failure-lines';
import { nowMs, readTraceparent, rootOf, type SpanName, traceparent } from './record-traces';
import { type SeenBefore } from './seen-before';
import { traceOfChunk, traceOfRecord } from './trace-ids';
import { recordIn, type Visits } from './visits';

export interface WatchedBusParts {
  readonly telemetry: Instruments;
  readonly visits: Visits;
  readonly lines: FailureLines;
  readonly seen: SeenBefore;
  /** As the semantic conventions name the broker. */
  readonly system: string;
  readonly topics: { readonly chunks: string; readonly records: string };
}

type Queue = 'chunks' | 'records' | 'notices';

/** The bus, with each send counted and each message's trace written into it, and each receipt the beginning of a visit. */
export function watchedMessageBus(bus: MessageBus, parts: WatchedBusParts): MessageBus {
  const { visits, telemetry, topics } = parts;
  const queueOf = (topic: string): Queue =>
    topic === topics.chunks ? 'chunks' : topic === topics.records ? 'records' : 'notices';

  async function send(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    const startMs = nowMs();
    const queue = queueOf(topic);
    const sent = messages.map((message) => traced(parts, queue, message));
    let error: string | undefined;
    try {
      await bus.send(
        topic,
        sent.map(({ message }) => message),
      );
    } catch (failure) {
      error = failure instanceof Error ? failure.name : 'error';
      throw failure;
    } finally {
      count(telemetry, queue, messages, error !== undefined);
      for (const { message, span } of sent) {
        span?.tell(`send ${topic}`, { startMs, error, attributes: sendAttributes(parts.system, topic, message) });
        if (error === undefined && queue === 'records') parts.lines.successorSent(message);
      }
    }
  }

  return delegate(bus, {
    send,
    receiver: (source) => {
      const receiver = bus.receiver(source);
      return source.deadLetters === true ? receiver : watchedReceiver(receiver, source, parts);
    },
  });

  function count(told: Instruments, queue: Queue, messages: readonly OutgoingMessage[], failed: boolean): void {
    const groups = new Map<string, { data_type: string; biller: string; messages: number }>();
    for (const { properties } of messages) {
      const data_type = String(properties['eventType'] ?? 'unknown');
      const biller = String(properties['billerId'] ?? 'unknown');
      const group = groups.get(`${data_type} ${biller}`);
      if (group) group.messages++;
      else groups.set(`${data_type} ${biller}`, { data_type, biller, messages: 1 });
    }
    for (const { messages: by, ...labels } of groups.values()) {
      told.count('messages.sent', failed ? 0 : by, { queue, ...labels });
      told.count('publish.failures', failed ? by : 0, { queue, ...labels });
    }
  }

  function watchedReceiver(receiver: MessageReceiver, source: MessageSource, { system, lines }: WatchedBusParts) {
    const name = `process ${source.topic}`;
    const settled = async (message: ReceivedMessage, work: () => Promise<void>, error?: string): Promise<void> => {
      const visit = visits.ofMessage(message);
      const span = visit?.spans?.begin('settle', SpanKind.CLIENT, SETTLE);
      try {
        await work();
      } catch (failure) {
        if (span) span.error = 'settle-failed';
        throw failure;
      } finally {
        if (span) span.endMs = nowMs();
        if (visit) lines.visitEnded(visit);
        visits.end(message, error);
      }
    };
    return delegate(receiver, {
      receive: async (options) => {
        const messages = await receiver.receive(options);
        for (const message of messages)
          visits.begin(message, { name, attributes: () => receiveAttributes(system, source, message) });
        return messages;
      },
      complete: (message) => settled(message, () => receiver.complete(message)),
      abandon: (message) => settled(message, () => receiver.abandon(message), 'abandoned'),
      deadLetter: (message, why) => settled(message, () => receiver.deadLetter(message, why), why.reason),
    });
  }
}

const SETTLE: Attributes = { 'messaging.operation.type': 'settle' };

interface SendSpan {
  tell(
    name: string,
    seen: { readonly startMs: number; readonly error: string | undefined; readonly attributes: Attributes },
  ): void;
}

/** The message with the traceparent of the span that sends it; a message of no record and no chunk is left as it is. */
function traced(
  { visits, seen }: WatchedBusParts,
  queue: Queue,
  message: OutgoingMessage,
): { readonly message: OutgoingMessage; readonly span?: SendSpan } {
  const { traces } = visits;
  const record = queue === 'records' ? recordIn(message.body) : undefined;
  const chunk = queue === 'chunks' ? chunkIn(message.body) : undefined;
  const own = record !== undefined ? traceOfRecord(record) : chunk !== undefined ? traceOfChunk(chunk) : undefined;
  if (!traces || !own) return { message };
  const visit = record === undefined ? undefined : visits.of(record)?.spans;
  const carried = readTraceparent(message.properties['traceparent']);
  const isKept =
    visit?.isKept ??
    (traces.isKept(own.traceId) ||
      (carried?.traceId === own.traceId && carried.kept) ||
      (chunk !== undefined && seen.isKeptChunk(chunk)));
  const known = record === undefined ? undefined : seen.discovered(record);
  const parent: SpanName =
    visit?.name ??
    known?.span ??
    (carried?.traceId === own.traceId ? { traceId: own.traceId, spanId: carried.spanId } : rootOf(own));
  if (!isKept && visit === undefined) return { message: carrying(message, traceparent(rootOf(own), false)) };
  const spanId = traces.newSpanId();
  return {
    // What is not told must not be anybody's parent: the root is, which a failure later on tells after all.
    message: carrying(message, traceparent(isKept ? { traceId: own.traceId, spanId } : rootOf(own), isKept)),
    span: {
      tell: (name, { startMs, error, attributes }) => {
        const links = known?.link ? [known.link] : [];
        const draft = {
          name,
          kind: SpanKind.PRODUCER,
          spanId,
          parentId: parent.spanId,
          startMs,
          endMs: nowMs(),
          attributes,
          links,
        };
        const whole = error === undefined ? draft : { ...draft, error };
        if (visit) visit.add(whole);
        else traces.tell(own.traceId, whole);
      },
    },
  };
}

function carrying(message: OutgoingMessage, text: string): OutgoingMessage {
  const { body, properties } = message;
  const inBody = typeof body === 'object' && body !== null && 'traceparent' in body;
  return {
    ...message,
    ...(inBody && { body: { ...body, traceparent: text } }),
    properties: { ...properties, traceparent: text },
  };
}

function chunkIn(body: unknown): ChunkId | undefined {
  const chunk = (body as { readonly chunkId?: unknown } | null)?.chunkId;
  return typeof chunk === 'string' ? (chunk as ChunkId) : undefined;
}

const sendAttributes = (system: string, topic: string, { messageId, properties }: OutgoingMessage): Attributes => ({
  'messaging.system': system,
  'messaging.operation.type': 'send',
  'messaging.operation.name': 'send',
  'messaging.destination.name': topic,
  'messaging.message.id': messageId,
  ...ofBiller(properties),
});

const receiveAttributes = (system: string, source: MessageSource, message: ReceivedMessage): Attributes => ({
  'messaging.system': system,
  'messaging.operation.type': 'process',
  'messaging.operation.name': 'process',
  'messaging.destination.name': source.topic,
  'messaging.destination.subscription.name': source.subscription,
  'messaging.message.id': message.messageId,
  'datapump.delivery_count': message.deliveryCount,
  ...ofBiller(message.properties),
});

const ofBiller = (properties: OutgoingMessage['properties']): Attributes => ({
  ...(properties['billerId'] !== undefined && { 'datapump.biller_id': String(properties['billerId']) }),
  ...(properties['eventType'] !== undefined && { 'datapump.data_type': String(properties['eventType']) }),
});
