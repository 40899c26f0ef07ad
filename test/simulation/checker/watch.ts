import { foldAttempt, foldRecord, isFinal, type RawEvent } from './fold';

/** What the watch may look at: stored events, accepted message ids, rows. No logic of the pipeline. */
export interface View {
  stream(name: string): readonly RawEvent[];
  wasAccepted(topic: string, messageId: string): boolean;
  /** Of the shard that holds the record, as ISO text. */
  shardInstant(record: string, ms: number): string;
  rowsOfChunk(chunkId: string): readonly { readonly record: string; readonly status: string }[];
  /** When its window opens, as hours and minutes of UTC; undefined: it is always open. */
  opensAt(biller: string): string | undefined;
  /** Whether the biller remembers the key of a call that leaves now, and its profile said it would. */
  mayResend(biller: string, key: string, profileVersion: string): boolean;
}

interface Message {
  readonly messageId: string;
  readonly body: unknown;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly lockToken: string;
  readonly sequenceNumber: string;
  readonly deliveryCount: number;
}

interface Source {
  readonly topic: string;
  readonly subscription: string;
  readonly deadLetters?: boolean;
}

export const CANARY = 'CANARY-4111111111111111';
export const EVENTS_TOPIC = 'datapump-events';

/** Judges every step while the run goes on: what was completed, what was called, what was said. */
export class Watch {
  readonly violations: string[] = [];
  readonly counters = new Map<string, number>();
  private readonly calls = new Map<string, number>();
  private readonly inHand = new Map<string, number>();
  private readonly takenAt = new Map<string, number>();
  /** By record: the messages of it that somebody took and has not asked to complete, each with the stream's length then. */
  private readonly takenOf = new Map<string, Map<string, number>>();
  private readonly newestSend = new Map<string, number>();

  constructor(
    private readonly view: View,
    private readonly options: {
      readonly nowMs: () => number;
      readonly inHandMax: number;
      readonly deliveryCountMax: number;
    },
  ) {}

  violate(what: string): void {
    if (this.violations.length < 20) this.violations.push(`at ${this.options.nowMs()} ms: ${what}`);
  }

  /** Rule 0. Judged when completion is asked for: whether the broker carries it out is its own affair. */
  completing(source: Source, message: Message): void {
    const body = message.body as Readonly<Record<string, unknown>>;
    if (source.topic !== EVENTS_TOPIC) return this.completingChunk(body, message);
    const record = String(body['traceId']);
    if (source.deadLetters) {
      const sentAt = this.newestSend.get(record) ?? -1;
      // Sent by an earlier order that died before it took the letter away: the broker drops the second one.
      const sentBefore = this.view.wasAccepted(source.topic, `${record}:d${message.sequenceNumber.slice(-8)}.0`);
      if (!sentBefore && sentAt < (this.takenAt.get(message.lockToken) ?? 0))
        this.violate(`rule 10: the dead letter ${message.messageId} was taken away and nothing was sent for it`);
      return;
    }
    if (body['version'] !== 1 || typeof body['dpId'] !== 'string')
      return this.violate(`rule 1: the broken message ${message.messageId} was completed`);
    const stream = this.view.stream(`dpRecord-${record}`);
    const { status, reconciledAs } = foldRecord(stream);
    const taken = this.takenOf.get(record);
    const lengthThen = taken?.get(message.lockToken) ?? stream.length;
    taken?.delete(message.lockToken);
    if (isSettled(stream)) return;
    // It was settled while this message was in hand, and whoever took it up again holds another message of it.
    const wasSettled = stream.some((_, index) => index >= lengthThen && isSettled(stream.slice(0, index + 1)));
    if (wasSettled && taken !== undefined && taken.size > 0) return;
    const successor = successorOf(record, message);
    // The next hop, or the first message of a chain that was opened while this one was in hand.
    const newChain = (this.newestSend.get(record) ?? -1) >= (this.takenAt.get(message.lockToken) ?? Infinity);
    if (!newChain && !this.view.wasAccepted(source.topic, successor)) {
      this.violate(
        `rule 0: ${message.messageId} was completed while its record is ${status} (${reconciledAs ?? 'not reconciled'}) and ${successor} was never accepted`,
      );
    }
  }

  private completingChunk(body: Readonly<Record<string, unknown>>, message: Message): void {
    if (typeof body['billerId'] !== 'string')
      return this.violate(`the broken chunk message ${message.messageId} was completed`);
    if (typeof body['chunkId'] !== 'string') return;
    for (const { record, status } of this.view.rowsOfChunk(body['chunkId'])) {
      if (status === 'New' || status === 'Queued')
        this.violate(`chunk message ${message.messageId} was completed while row ${record} is ${status}`);
      const folded = foldRecord(this.view.stream(`dpRecord-${record}`));
      if (
        (folded.status === 'none' || folded.status === 'pending') &&
        !this.view.wasAccepted(EVENTS_TOPIC, record) &&
        this.newestSend.get(record) === undefined
      ) {
        this.violate(`chunk message ${message.messageId} was completed and no message of ${record} was ever accepted`);
      }
    }
  }

  /** Rules 6 and 7: a call leaves only under a stated intent of its own, in its time, and not after the end. */
  callLeft(
    request: {
      readonly biller: string;
      readonly record: string;
      readonly key: string;
      readonly attempt: string;
      readonly profileVersion: string;
    },
    leftAtMs: number,
  ): void {
    const { record, attempt: name } = request;
    const attempt = foldAttempt(this.view.stream(name));
    if (!attempt.started) return this.violate(`rule 6: ${record} was called without a stated attempt`);
    const calls = (this.calls.get(name) ?? 0) + 1;
    this.calls.set(name, calls);
    if (calls > 1 + attempt.resends)
      this.violate(`rule 6: ${name} was called ${calls} times under ${1 + attempt.resends} stated intents`);
    const left = this.view.shardInstant(record, leftAtMs);
    const opensAt = this.view.opensAt(request.biller);
    if (opensAt !== undefined && left.slice(11, 16) < opensAt)
      this.violate(`rule 3: ${name} was called at ${left}, before its biller's window opens at ${opensAt}`);
    if (left > attempt.ownedUntil)
      this.violate(`rule 7: a call of ${name} left at ${left}, after ${attempt.ownedUntil}`);
    if (attempt.started['profileVersion'] !== request.profileVersion)
      this.violate(`rule 4: ${name} was called by ${request.profileVersion}, not by the profile version of its start`);
    if (attempt.started['idempotencyKey'] !== request.key)
      this.violate(`rule 6: ${name} was called under another key than it stated`);
    if (
      attempt.resends > 0 &&
      calls > 1 &&
      !this.view.mayResend(request.biller, request.key, String(attempt.started['profileVersion']))
    ) {
      this.violate(`rule 4: ${name} was sent again where the biller does not remember its key`);
    }
  }

  /** Rule 4: a biller is asked as the profile of an attempt's start says; a slow process may ask for an earlier attempt. */
  asked(record: string, profileVersion: string): void {
    const newest = Number(this.newestAttempt(record).split(':').at(-1));
    const stated = Array.from({ length: newest }, (_, index) =>
      foldAttempt(this.view.stream(`deliveryAttempt-${record}:${index + 1}`)),
    );
    if (!stated.some(({ started }) => started?.['profileVersion'] === profileVersion))
      this.violate(`rule 4: ${record} was asked for by ${profileVersion}, which no start of it names`);
  }

  /** The stream of the attempt that a call belongs to when it leaves. */
  newestAttempt(record: string): string {
    let number = 1;
    while (this.view.stream(`deliveryAttempt-${record}:${number + 1}`).length > 0) number++;
    return `deliveryAttempt-${record}:${number}`;
  }

  sent(topic: string, messages: readonly { readonly messageId: string; readonly body: unknown }[]): void {
    for (const { messageId, body } of messages) {
      this.said(JSON.stringify(body));
      const record = (body as Readonly<Record<string, unknown>>)['traceId'];
      if (typeof record === 'string' && !this.view.wasAccepted(topic, messageId))
        this.newestSend.set(record, this.options.nowMs());
    }
  }

  taken({ deadLetters }: Source, messages: readonly Message[]): void {
    for (const { lockToken, messageId, deliveryCount, body } of messages) {
      this.takenAt.set(lockToken, this.options.nowMs());
      const record = (body as Readonly<Record<string, unknown>>)['traceId'];
      if (typeof record === 'string' && !deadLetters) {
        const taken = this.takenOf.get(record) ?? new Map<string, number>();
        this.takenOf.set(record, taken.set(lockToken, this.view.stream(`dpRecord-${record}`).length));
      }
      if (!deadLetters && deliveryCount > this.options.deliveryCountMax)
        this.violate(`poison: ${messageId} was handed out ${deliveryCount} times`);
    }
  }

  received(life: string, count: number): void {
    const held = (this.inHand.get(life) ?? 0) + count;
    this.inHand.set(life, held);
    if (held > this.options.inHandMax && !life.startsWith('operator'))
      this.violate(`${life} holds ${held} messages at once`);
  }

  settling(life: string): void {
    this.inHand.set(life, (this.inHand.get(life) ?? 0) - 1);
  }

  /** A row that has its end keeps it, whoever writes. */
  rowMoved(record: string, from: string, to: string): void {
    if (isFinal(from)) this.violate(`rule 9: the row of ${record} left its end ${from} for ${to}`);
  }

  said(text: string): void {
    if (text.includes(CANARY)) this.violate(`a secret was told: ${text.slice(0, 120)}`);
  }

  counted(name: string, by: number): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }
}

function isSettled(stream: readonly RawEvent[]): boolean {
  const { status, reconciledAs } = foldRecord(stream);
  return (isFinal(status) || status === 'InDoubt') && reconciledAs === status;
}

/** The next hop of a message's chain, as DESIGN §4 spells the ids. */
function successorOf(record: string, { messageId, properties }: Message): string {
  const tail = messageId.startsWith(`${record}:`) ? messageId.slice(record.length + 1) : '';
  const chained = /^([rsd]\d+)\.(\d+)$/.exec(tail);
  if (chained) return `${record}:${chained[1]}.${Number(chained[2]) + 1}`;
  if (/^\d+$/.test(tail)) return `${record}:${Number(tail) + 1}`;
  return `${record}:${Number(properties['hop'] ?? 0) + 1}`;
}
