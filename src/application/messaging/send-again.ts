import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type BillerId } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type ChainLink, recordMessage } from './message-chain';
import { type ChunkMessage, type RecordMessage } from './messages';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type OutgoingMessage, type PeekedMessage } from '../ports/message-bus';
import { type EventsTopology } from './topology';

/** The biller's tenant as its profile says now; a biller whose profile is gone is its own. */
export const tenantOf = (billerId: BillerId, profile: Pick<BillerProfile, 'tenant'> | undefined): string =>
  profile?.tenant ?? billerId;

export interface Again {
  readonly link: ChainLink;
  readonly traceparent: string | undefined;
  readonly scheduledFor?: Instant;
}

/**
 * The one way to send a record again: a successor, a sweep, a redrive, an operator's word. Its tenant is the profile's,
 * never that of the message in hand, and it goes to its own consumer alone.
 */
export const recordAgain = (
  settings: EventsTopology,
  message: RecordMessage,
  profile: Pick<BillerProfile, 'tenant'> | undefined,
  again: Again,
): OutgoingMessage =>
  recordMessage(message, {
    ...again,
    tenant: tenantOf(message.billerId, profile),
    target: settings.subscriptions[message.eventType],
  });

/** As above, by whoever holds no profile. */
export const recordAgainFor = async (
  profiles: Pick<BillerProfiles, 'current'>,
  settings: EventsTopology,
  message: RecordMessage,
  again: Again,
): Promise<OutgoingMessage> => recordAgain(settings, message, await profiles.current(message.billerId), again);

/** The one way to send a chunk again, under an id that the caller has seen to be new. */
export function chunkAgain(
  body: ChunkMessage,
  again: { readonly messageId: string; readonly traceparent: string; readonly scheduledFor?: Instant },
): OutgoingMessage {
  const { messageId, traceparent, scheduledFor } = again;
  return {
    messageId,
    body: { ...body, traceparent },
    correlationId: body.billerId,
    properties: {
      ...(body.eventType === undefined ? {} : { eventType: body.eventType }),
      billerId: body.billerId,
      traceparent,
    },
    ...(scheduledFor === undefined ? {} : { scheduledFor }),
  };
}

export function traceparentOf({ properties }: Pick<PeekedMessage, 'properties'>): string | undefined {
  const { traceparent } = properties;
  return typeof traceparent === 'string' ? traceparent : undefined;
}
