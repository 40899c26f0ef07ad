import { type EventStore } from '../../../src/application/ports/event-store';
import {
  type MessageReceiver,
  type MessageSource,
  type OutgoingMessage,
  type PeekedMessage,
  type ReceivedMessage,
  type SubscriptionDepth,
} from '../../../src/application/ports/message-bus';
import { type Shard } from '../../../src/application/ports/shard';
import { type ShardSeed } from '../../../src/adapters/shared/shard-seed';
import { type DpRow } from '../../../src/domain/dp-record/dp-row';
import { type CustomerId, type DpId, type PaymentId } from '../../../src/domain/identifiers';
import { type RawEvent } from '../checker/fold';
import { type AtOnce } from './at-once';

/*
 * What the world does to its stores and sees of them, beside the ports that the processes know. What it sees comes at
 * once: the watch judges in the middle of a happening.
 */

interface Closable {
  close(): void | Promise<void>;
}

export interface WorldStore extends AtOnce<EventStore>, Closable {
  /** A whole stream, as it lies there. */
  history(stream: string): readonly RawEvent[];
}

export type StoredStatus = Pick<DpRow, 'dpId' | 'billerId' | 'dataType' | 'status' | 'chunkId'>;

export interface WorldShard extends AtOnce<Shard>, Closable {
  seed(seed: ShardSeed): unknown;
  stored(): readonly StoredStatus[];
  /** Chunks in the outbox that still wait for the relay. */
  unpublished(): number;
  /** What the owner of the rows does to them. */
  withdraw(dpId: DpId): void;
  changeAmount(payment: PaymentId, byMinorUnits: number): void;
  /** The row's id means something else from now on. */
  repoint(dpId: DpId, to: { readonly customerId: CustomerId; readonly paymentId?: PaymentId }): void;
  rename(customer: CustomerId, addition: string): void;
}

type Settled<Name extends keyof MessageReceiver> = Awaited<ReturnType<MessageReceiver[Name]>>;
type Soon<Answer> = Answer | Promise<Answer>;

/** The broker without waiting: each call answers with what is there now. */
export interface WorldBroker extends Closable {
  send(topic: string, messages: readonly OutgoingMessage[]): Soon<void>;
  /** A second copy, as a broker that delivers at least once may make: past duplicate detection. */
  duplicate(topic: string, message: OutgoingMessage): Soon<void>;
  /** `skip`: takes messages out of their order. */
  take(source: MessageSource, max: number, skip?: number): Soon<readonly ReceivedMessage[]>;
  complete(source: MessageSource, message: ReceivedMessage): Soon<void>;
  abandon(source: MessageSource, message: ReceivedMessage): Soon<void>;
  deadLetter(
    source: MessageSource,
    message: ReceivedMessage,
    why: Parameters<MessageReceiver['deadLetter']>[1],
  ): Soon<void>;
  renew(source: MessageSource, message: ReceivedMessage): Soon<Settled<'renewLock'>>;
  peek(
    source: MessageSource,
    options: { readonly after?: string; readonly max: number },
  ): Soon<readonly PeekedMessage[]>;
  depth(source: MessageSource): Soon<SubscriptionDepth>;
  /** Messages that are not dead letters. */
  waiting(source: MessageSource): number;
  /** When something can be taken: now, or when the next scheduled message or lapsing lock comes due. */
  nextDue(source: MessageSource): number | undefined;
  /** The broker loses a lock early, as at a failover. */
  expireLock(source: MessageSource, lockToken: string): void;
  /** The broker loses a message, as after a restore. */
  lose(source: MessageSource, which: number): void;
  /** Whether a message of this id was ever taken on, however long ago. */
  wasAccepted(topic: string, messageId: string): boolean;
}
