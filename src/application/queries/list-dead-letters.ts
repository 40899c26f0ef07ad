import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { type MessageBus, type MessageSource, type PeekedMessage } from '../ports/message-bus';
import {
  type EventsTopology,
  FETCHER_SUBSCRIPTION,
  OUTBOX_TOPIC,
  VALIDATION_ERRORS_SUBSCRIPTION,
  VALIDATION_ERRORS_TOPIC,
} from '../messaging/topology';

/** Whose dead letters: a data type's records, the fetcher's chunks, or the notices of rejected rows. */
export type LetterKind = DataType | 'Chunks' | 'Notices';
export const LETTER_KINDS: readonly LetterKind[] = [...DATA_TYPES, 'Chunks', 'Notices'];

const PEEK_MAX = 500;

export function subscriptionOf(settings: EventsTopology, kind: LetterKind): MessageSource {
  if (kind === 'Chunks') return { topic: OUTBOX_TOPIC, subscription: FETCHER_SUBSCRIPTION };
  if (kind === 'Notices') return { topic: VALIDATION_ERRORS_TOPIC, subscription: VALIDATION_ERRORS_SUBSCRIPTION };
  return { topic: settings.eventsTopic, subscription: settings.subscriptions[kind] };
}

export const lettersOf = (settings: EventsTopology, kind: LetterKind): MessageSource => ({
  ...subscriptionOf(settings, kind),
  deadLetters: true,
});

export interface Looked {
  readonly found: readonly PeekedMessage[];
  readonly lookedAt: number;
  /** False: a bound ended the look, and more may lie behind. */
  readonly complete: boolean;
}

/**
 * The messages that match, oldest first, as they lie there: nothing is locked or changed. The bound on what is found and
 * the bound on what is looked at are two, so that what does not match never hides what does.
 */
export async function lookThrough(
  bus: MessageBus,
  source: MessageSource,
  bounds: { readonly foundMax: number; readonly lookMax: number },
  matches: (message: PeekedMessage) => boolean,
): Promise<Looked> {
  const found: PeekedMessage[] = [];
  let lookedAt = 0;
  let after: string | undefined;
  while (lookedAt < bounds.lookMax) {
    const page = await bus.peek(source, {
      max: Math.min(PEEK_MAX, bounds.lookMax - lookedAt),
      ...(after === undefined ? {} : { after }),
    });
    if (page.length === 0) return { found, lookedAt, complete: true };
    for (const message of page) {
      if (found.length === bounds.foundMax) return { found, lookedAt, complete: false };
      lookedAt++;
      if (matches(message)) found.push(message);
    }
    after = page.at(-1)!.sequenceNumber;
  }
  const [beyond] = await bus.peek(source, { max: 1, ...(after === undefined ? {} : { after }) });
  return { found, lookedAt, complete: beyond === undefined };
}

/** Whose a message is, by everything that says so: a message that contradicts itself is found under each. */
export function billersNamedBy({
  body,
  properties,
  correlationId,
}: Pick<PeekedMessage, 'body' | 'properties' | 'correlationId'>): readonly string[] {
  const inBody =
    typeof body === 'object' && body !== null ? (body as { readonly billerId?: unknown }).billerId : undefined;
  const said = [inBody, properties['billerId'], correlationId].filter(
    (each) => typeof each === 'string' || typeof each === 'number',
  );
  return [...new Set(said.map(String))];
}

export interface LetterCount {
  readonly kind: LetterKind;
  readonly billerId: string;
  readonly reason: string;
  readonly count: number;
}

/** How many there are by biller and reason, most first. */
export function countLetters(
  letters: readonly { readonly kind: LetterKind; readonly billerId: string; readonly reason: string }[],
): readonly LetterCount[] {
  const counts = new Map<string, LetterCount>();
  for (const { kind, billerId, reason } of letters) {
    const key = JSON.stringify([kind, billerId, reason]);
    counts.set(key, { kind, billerId, reason, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}
