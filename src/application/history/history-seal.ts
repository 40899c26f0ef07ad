import { type StreamName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';
import { type SealCryptography } from '../ports/seal-cryptography';

/**
 * Stored for ever in the streams `historySeal-<n>`, a thousand in each: what stood in the event store when it was sealed.
 * A seal covers the events behind the one before it up to `through`, in their order, without seals themselves, which
 * cover each other: each holds the digest of the one before.
 */
export type HistorySealEvent = {
  readonly type: 'HistorySealed';
  readonly data: {
    /** From 1, without gaps. */
    readonly number: number;
    /** Digest of the seal before; zeros for the first. */
    readonly previous: string;
    /** Position of the last event covered. */
    readonly through: string;
    readonly events: number;
    /** Over the digests of the events covered, in their order. */
    readonly root: string;
    /** Which events those are, packed: `stream@revision` of each. */
    readonly names: string;
    /** The beginnings of their digests, packed. */
    readonly leaves: string;
    /** Up to which seal each copy outside the event store was known to reach. */
    readonly copies: readonly { readonly witness: string; readonly upTo: number }[];
    /** What the sealer found amiss since the seal before. */
    readonly notes: readonly string[];
    readonly by: string;
    readonly at: Instant;
    /** Over all of the above. */
    readonly digest: string;
    /** Of the digest, Ed25519. */
    readonly signature?: string;
    /** Which key signed. */
    readonly key?: string;
  };
};

export type Seal = HistorySealEvent['data'];
/** A shard keeps no lists of events; a file keeps all. */
export type SealCopy = Omit<Seal, 'names' | 'leaves' | 'copies' | 'notes' | 'by'> &
  Partial<Pick<Seal, 'names' | 'leaves' | 'copies' | 'notes' | 'by'>>;

export const SEAL_CATEGORY = 'historySeal';
export const SEALED_EVENTS_MAX = 1_000;
const SEALS_PER_STREAM = 1_000;
export const FIRST_PREVIOUS = '0'.repeat(64);

export const isSealStream = (stream: string): boolean => stream.startsWith(`${SEAL_CATEGORY}-`);

/** Where the seal of this number stands. A stream that grew for ever could not be read at once any more. */
export const placeOfSeal = (number: number): { readonly stream: StreamName; readonly revision: number } => ({
  stream: `${SEAL_CATEGORY}-${Math.floor((number - 1) / SEALS_PER_STREAM)}` as StreamName,
  revision: (number - 1) % SEALS_PER_STREAM,
});

/** The digest that a seal with these members must have. */
export function digestOfSeal(cryptography: Pick<SealCryptography, 'ofText'>, seal: Omit<Seal, 'digest'>): string {
  const { number, previous, through, events, root, names, leaves, copies, notes, by, at } = seal;
  return cryptography.ofText(
    JSON.stringify([
      number,
      previous,
      through,
      events,
      root,
      names,
      leaves,
      copies.map(({ witness, upTo }) => [witness, upTo]),
      notes,
      by,
      at,
    ]),
  );
}

/** Of the digest, so that the event's id cannot be changed either; each sealer signs by its own name and time. */
export const idOfSeal = ({ digest }: Pick<Seal, 'digest'>): string =>
  [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `5${digest.slice(13, 16)}`,
    `8${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ].join('-');

/** Members that every copy must share with the seal. */
const COPIED = ['number', 'previous', 'through', 'events', 'root', 'at', 'digest', 'signature', 'key'] as const;

/** The first member in which two copies differ. A list that one of them does not keep is no difference. */
export function firstDifference(one: SealCopy, other: SealCopy): string | undefined {
  return (
    COPIED.find((member) => one[member] !== other[member]) ??
    (['names', 'leaves', 'by'] as const).find(
      (member) => one[member] !== undefined && other[member] !== undefined && one[member] !== other[member],
    )
  );
}

/** Whatever lies where a seal should be, as a seal; undefined: it is none. */
export function sealOf(data: unknown): Seal | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const seal = data as Partial<Record<keyof Seal, unknown>>;
  const texts = (['previous', 'through', 'root', 'names', 'leaves', 'by', 'at', 'digest'] as const).every(
    (member) => typeof seal[member] === 'string',
  );
  const numbers = Number.isSafeInteger(seal.number) && Number.isSafeInteger(seal.events);
  const optional = (['signature', 'key'] as const).every(
    (member) => seal[member] === undefined || typeof seal[member] === 'string',
  );
  const lists =
    Array.isArray(seal.copies) &&
    seal.copies.every(isCopyMark) &&
    Array.isArray(seal.notes) &&
    seal.notes.every((note) => typeof note === 'string');
  return texts && numbers && optional && lists ? (data as Seal) : undefined;
}

const isCopyMark = (mark: unknown): boolean =>
  typeof mark === 'object' &&
  mark !== null &&
  'witness' in mark &&
  typeof mark.witness === 'string' &&
  'upTo' in mark &&
  Number.isSafeInteger(mark.upTo);
