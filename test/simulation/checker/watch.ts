import { CallLaws, type CallView, type LeavingCall } from './call-laws';
import { foldAttempt, foldRecord, isFinal, type RawEvent } from './fold';

/** What the watch may look at: stored events, accepted message ids, rows. No logic of the pipeline. */
export interface View extends CallView {
  wasAccepted(topic: string, messageId: string): boolean;
  rowsOfChunk(chunkId: string): readonly { readonly record: string; readonly status: string }[];
  /** The subscription that a data type's copies are meant for. */
  targetOf(dataType: string): string | undefined;
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

interface Sent {
  readonly messageId: string;
  readonly body: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
}

interface Source {
  readonly topic: string;
  readonly subscription: string;
  readonly deadLetters?: boolean;
}

export const CANARY = 'CANARY-4111111111111111';
/** Longer than any call is on its way to the biller. */
const CALL_MAX_MS = 1_000;
const EVENTS_TOPIC = 'datapump-events';

/** Judges every step while the run goes on: what was completed, what was called, what was said. */
export class Watch {
  readonly violations: string[] = [];
  readonly laws: CallLaws;
  readonly counters = new Map<string, number>();
  private readonly calls = new Map<string, number>();
  private readonly inHand = new Map<string, number>();
  private readonly takenAt = new Map<string, number>();
  /** By record: the messages of it that somebody took and has not asked to complete, each with the stream's length then. */
  private readonly takenOf = new Map<string, Map<string, number>>();
  /** By record: when it was held in doubt; by life and row: when it was reopened. */
  private readonly heldAt = new Map<string, number>();
  private readonly reopenedAt = new Map<string, number>();
  private readonly newestSend = new Map<string, number>();
  private readonly seenEvents = new Set<string>();
  /** By process, life and attempt: when a biller's definite answer reached it. */
  private readonly answers = new Map<string, number>();
  private callsJudgedFrom = 0;
  private forgot = false;

  constructor(
    private readonly view: View,
    private readonly options: {
      readonly nowMs: () => number;
      readonly inHandMax: number;
      readonly deliveryCountMax: number;
    },
  ) {
    this.laws = new CallLaws(view, options.nowMs, (what) => this.violate(what));
  }

  violate(what: string): void {
    if (this.violations.length < 20) this.violations.push(`at ${this.options.nowMs()} ms: ${what}`);
  }

  /** Stores came back from backups: what was seen of them belongs to a past that they do not know, and so do calls on their way. */
  forget(): void {
    for (const memory of [this.calls, this.inHand, this.takenAt, this.takenOf, this.heldAt, this.reopenedAt])
      memory.clear();
    this.laws.forget();
    this.forgot = true;
    this.callsJudgedFrom = this.options.nowMs() + CALL_MAX_MS;
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
      // Ordinals of redrives begin anew with a lost stream: the broker may drop a repeated id, and the sweep brings the row back.
      if (!sentBefore && !this.forgot && sentAt < (this.takenAt.get(message.lockToken) ?? 0))
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

  /** A biller's definite answer reached a process. */
  answered(process: string, epoch: number, attempt: string): void {
    this.answers.set(`${process}#${epoch} ${attempt}`, this.options.nowMs());
  }

  /** Rule 9: what the biller said is appended first; whoever asks for anything else before it lets time pass. */
  stating(process: string, epoch: number, stream: string): void {
    const key = `${process}#${epoch} ${stream}`;
    const answeredAt = this.answers.get(key);
    this.answers.delete(key);
    if (answeredAt !== undefined && answeredAt !== this.options.nowMs())
      this.violate(
        `rule 9: ${stream} was answered at ${answeredAt} ms and stated at ${this.options.nowMs()} ms: something was asked in between`,
      );
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
        !isFinal(status) &&
        !this.view.wasAccepted(EVENTS_TOPIC, record) &&
        this.newestSend.get(record) === undefined
      ) {
        this.violate(`chunk message ${message.messageId} was completed and no message of ${record} was ever accepted`);
      }
    }
  }

  /**
   * Rules 6 and 7: a call leaves only under a stated intent of its own, in its time, and not after the end. `repeated`: it
   * was refused for its credential, and leaves again within the same call.
   */
  callLeft(request: LeavingCall, leftAtMs: number, repeated = false): void {
    if (leftAtMs < this.callsJudgedFrom) return;
    this.laws.callLeft(request, leftAtMs);
    const { record, attempt: name } = request;
    const attempt = foldAttempt(this.view.stream(name));
    if (!attempt.started) return this.violate(`rule 6: ${record} was called without a stated attempt`);
    const calls = (this.calls.get(name) ?? 0) + (repeated ? 0 : 1);
    this.calls.set(name, calls);
    if (calls > 1 + attempt.resends)
      this.violate(`rule 6: ${name} was called ${calls} times under ${1 + attempt.resends} stated intents`);
    const left = this.view.shardInstant(record, leftAtMs);
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
  asked(biller: string, record: string, profileVersion: string, life: string): void {
    // On its way when the stores came back from before: what stated it is gone.
    if (this.options.nowMs() < this.callsJudgedFrom) return;
    this.laws.asked(biller, record, life);
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

  sent(topic: string, messages: readonly Sent[]): void {
    for (const { messageId, body, properties = {} } of messages) {
      this.said(JSON.stringify(body));
      const { traceId: record, eventType } = body as Readonly<Record<string, unknown>>;
      // Another subscription may take the same type: a copy is for the one that its record was published to.
      const target = this.view.targetOf(String(eventType));
      if (messageId.startsWith(`${String(record)}:`) && properties['target'] !== target)
        this.violate(
          `rule 0: the copy ${messageId} is meant for ${String(properties['target'])}, its consumer is ${target}`,
        );
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

  received(life: string, messages: readonly Message[]): void {
    for (const { body, lockToken } of messages) this.laws.received(life, recordIn(body), lockToken);
    const held = (this.inHand.get(life) ?? 0) + messages.length;
    this.inHand.set(life, held);
    if (held > this.options.inHandMax && !life.startsWith('operator'))
      this.violate(`${life} holds ${held} messages at once`);
  }

  settling(life: string, { body, lockToken }: Message): void {
    this.laws.settling(life, recordIn(body), lockToken);
    this.inHand.set(life, (this.inHand.get(life) ?? 0) - 1);
  }

  /** Events stand in the store now. */
  appended(
    life: string,
    stream: string,
    events: readonly { readonly id: string; readonly type: string; readonly data: unknown }[],
  ): void {
    for (const { id, type, data } of events) {
      // An append whose answer was lost is repeated, and the store takes it for the one it was.
      if (this.seenEvents.has(id)) continue;
      this.seenEvents.add(id);
      if (type === 'BillerRateSet')
        this.laws.slowed(stream.slice('billerControl-'.length), (data as { readonly perSecond?: number }).perSecond);
      if (stream.startsWith('billerControl-') && (type === 'BillerPaused' || type === 'BillerResumed'))
        this.laws.doorMoved(stream.slice('billerControl-'.length), 'paused', type === 'BillerPaused');
      if (!stream.startsWith('dpRecord-')) continue;
      const record = stream.slice('dpRecord-'.length);
      if (type === 'DpRecordHeldInDoubt') this.heldAt.set(record, this.options.nowMs());
      else if (this.heldAt.has(record)) {
        const heldAt = this.heldAt.get(record)!;
        this.heldAt.delete(record);
        if (type === 'DpRecordReconciled') this.heldAt.set(record, heldAt);
        // A crash right after would leave a row that says InDoubt, and a person who settles what is settled.
        else if (type === 'DpRecordRetryScheduled') this.judgeFreed(life, record, heldAt);
      }
    }
  }

  rowReopened(life: string, dpId: string): void {
    this.reopenedAt.set(`${life} ${dpId}`, this.options.nowMs());
  }

  private judgeFreed(life: string, record: string, heldAt: number): void {
    const reopenedAt = this.reopenedAt.get(`${life} ${record.slice(record.indexOf(':') + 1)}`) ?? -1;
    if (reopenedAt < heldAt) this.violate(`rule 9: ${record} was freed from doubt and its row was not reopened first`);
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

const recordIn = (body: unknown): string => String((body as Readonly<Record<string, unknown>>)['traceId']);

function isSettled(stream: readonly RawEvent[]): boolean {
  const { status, reconciledAs } = foldRecord(stream);
  return (isFinal(status) || status === 'InDoubt') && reconciledAs === status;
}

/** The next hop of a message's chain, as docs/ARCHITECTURE.md spells the ids. */
function successorOf(record: string, { messageId, properties }: Message): string {
  const tail = messageId.startsWith(`${record}:`) ? messageId.slice(record.length + 1) : '';
  const chained = /^([rsd]\d+)\.(\d+)$/.exec(tail);
  if (chained) return `${record}:${chained[1]}.${Number(chained[2]) + 1}`;
  if (/^\d+$/.test(tail)) return `${record}:${Number(tail) + 1}`;
  return `${record}:${Number(properties['hop'] ?? 0) + 1}`;
}
