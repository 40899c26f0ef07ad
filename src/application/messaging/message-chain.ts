import { type RecordKey } from '../../domain/identifiers';
import { msOf, type Instant } from '../../domain/instant';
import { type OutgoingMessage, type PeekedMessage } from '../ports/message-bus';
import { type RecordMessage } from './messages';

/**
 * A record's messages form chains: each rescheduled copy is the next hop of its chain and has a message id of its own,
 * because under duplicate detection a repeated id is dropped and reported as accepted.
 *
 *   first publication  billerId:dpId          then billerId:dpId:1, billerId:dpId:2 …
 *   redrive k          billerId:dpId:rk.0     then billerId:dpId:rk.1 …
 *   row's count k      billerId:dpId:sk.0     then billerId:dpId:sk.1 …   (k: the count, then five digits of its minute)
 *   dead letter n      billerId:dpId:dn.0     then billerId:dpId:dn.1 …   (n: last digits of its sequence number)
 *
 * Should a second copy of one chain send the same hop, the broker drops it: then that hop was accepted before, and the
 * chain it belongs to is alive or has ended by rule 0.
 */
export interface ChainLink {
  readonly chain: '' | `r${number}` | `s${number}` | `d${string}`;
  readonly hop: number;
}

const MINUTES_AGAIN = 100_000;

export const redriveChain = (ordinal: number): ChainLink => ({ chain: `r${ordinal}`, hop: 0 });
/** `ordinal`: what the row has just counted up to, at an instant of its shard's clock. */
export const sweepChain = (ordinal: number, at: Instant): ChainLink => ({
  chain: `s${newNumber(ordinal, at)}`,
  hop: 0,
});

/**
 * A row that was restored, or put there anew, counts anew, so its count alone would name an id that the broker may still
 * know. Five digits of minutes begin again after 69 days; a broker remembers an id for 7 at most.
 */
export const newNumber = (ordinal: number, at: Instant): number =>
  ordinal * MINUTES_AGAIN + (Math.floor(msOf(at) / 60_000) % MINUTES_AGAIN);

/** Where neither a redrive nor the row's own count names an id: eight digits keep the longest id within the broker's 128. */
export const deadLetterChain = (sequenceNumber: string): ChainLink => ({
  chain: `d${sequenceNumber.slice(-8)}`,
  hop: 0,
});
export const firstLink: ChainLink = { chain: '', hop: 0 };

export function messageIdOf(key: RecordKey, { chain, hop }: ChainLink): string {
  if (chain === '') return hop === 0 ? key : `${key}:${hop}`;
  return `${key}:${chain}.${hop}`;
}

/** A message id of another team's making starts the first chain at the hop its property names, else at 0. */
export function linkOf(key: RecordKey, message: Pick<PeekedMessage, 'messageId' | 'properties'>): ChainLink {
  const tail = message.messageId.startsWith(`${key}:`) ? message.messageId.slice(key.length + 1) : '';
  const chained = /^([rsd]\d+)\.(\d+)$/.exec(tail);
  if (chained) return { chain: chained[1] as ChainLink['chain'], hop: Number(chained[2]) };
  if (/^\d+$/.test(tail)) return { chain: '', hop: Number(tail) };
  const hop = Number(message.properties['hop'] ?? 0);
  return { chain: '', hop: Number.isSafeInteger(hop) && hop >= 0 ? hop : 0 };
}

export const nextHop = (link: ChainLink): ChainLink => ({ chain: link.chain, hop: link.hop + 1 });

/** One record message as it goes to the broker. */
export function recordMessage(
  body: RecordMessage,
  options: {
    readonly link: ChainLink;
    readonly tenant: string;
    readonly traceparent: string | undefined;
    /** The one subscription a copy is meant for; undefined: whichever filter takes it. */
    readonly target: string | undefined;
    readonly scheduledFor?: Instant;
  },
): OutgoingMessage {
  return {
    messageId: messageIdOf(body.traceId, options.link),
    body,
    correlationId: body.billerId,
    properties: {
      eventType: body.eventType,
      tenant: options.tenant,
      billerId: body.billerId,
      hop: options.link.hop,
      ...(options.traceparent === undefined ? {} : { traceparent: options.traceparent }),
      ...(options.target === undefined ? {} : { target: options.target }),
    },
    ...(options.scheduledFor === undefined ? {} : { scheduledFor: options.scheduledFor }),
  };
}
