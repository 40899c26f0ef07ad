import { type LoggedEvent } from './event-log';

/** What sealing and verifying calculate. Digests are SHA-256 as lower-case hex; pure, but for the key it may hold. */
export interface SealCryptography {
  /** Over stream, revision, id, type, data and metadata, each with its length in bytes before it. */
  ofEvent(event: LoggedEvent): string;
  ofText(text: string): string;
  /** Which events a seal covers, with the first bytes of the digest of each: about a dozen bytes an event. */
  pack(events: readonly PackedEvent[]): { readonly names: string; readonly leaves: string };
  /** Undefined: not what pack made. */
  unpack(packed: { readonly names: string; readonly leaves: string }): readonly PackedEvent[] | undefined;
  /** Undefined: no private key is given. */
  sign(digest: string): Signature | undefined;
  /** 'unknown-key': it was signed with a key whose public part is not given. */
  check(digest: string, signature: Signature): 'sound' | 'forged' | 'unknown-key';
  /** Whether any public key is given. */
  readonly canCheck: boolean;
}

export interface PackedEvent {
  /** `stream@revision`. */
  readonly name: string;
  /** The first bytes of its digest, as hex. */
  readonly leaf: string;
}

export interface Signature {
  /** Base64. */
  readonly signature: string;
  /** The beginning of the digest of the public key. */
  readonly key: string;
}

/** Hex digits of a digest that a leaf holds: 64 bits name what differs; what proves it is the root over whole digests. */
export const LEAF_DIGITS = 16;
