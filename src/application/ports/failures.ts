import { visible } from '../../domain/invisible-text';
import { maskCardData } from '../../domain/policies/card-data';

/**
 * What an adapter throws when the wire, the disk or the other side fails. Classified by the adapter alone; services
 * only look at `retryable`. Codes are stable and explained in docs/runbooks/failure-codes.md.
 */
export class PortFailure extends Error {
  override readonly name = 'PortFailure';
  readonly code: PortFailureCode;
  /** False: repeating the same call cannot succeed. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  /** Ids and numbers that help a person; never secrets, names or account numbers. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;

  constructor(
    step: string,
    options: {
      readonly code: PortFailureCode;
      readonly retryable: boolean;
      readonly retryAfterMs?: number;
      readonly facts?: Readonly<Record<string, string | number | boolean>>;
      readonly cause?: unknown;
    },
  ) {
    super(step, { cause: options.cause });
    this.code = options.code;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.facts = options.facts ?? {};
  }
}

/** What somebody has to mend outside: the same call succeeds afterwards, whatever it was about. */
const MENDED_OUTSIDE: ReadonlySet<PortFailureCode> = new Set([
  'not-authorized',
  'not-allowed',
  'secret-missing',
  'storage-foreign',
  'storage-from-older-version',
  'storage-from-newer-version',
  'profile-missing',
  'storage-replaced',
  'history-lost',
]);

/** The world fails, not the message or the row in hand: to be held and tried again, never to be set aside for it. */
export const isOutage = (error: unknown): error is PortFailure =>
  error instanceof PortFailure && (error.retryable || MENDED_OUTSIDE.has(error.code));

/** Passes by itself or is mended outside: never a reason to end a record or to set its message aside. */
export const passes = (error: unknown): boolean => isOutage(error) || error instanceof VersionConflict;

/** What lies in a store cannot be what was written: this record stops, whatever is next to it goes on. */
export const isDamage = (error: unknown): error is PortFailure =>
  error instanceof PortFailure && error.code === 'storage-damaged';

/** A server refuses the kind of call itself, by how it was set up: repeating it by itself would go on for ever. */
export const isNeverAllowed = (error: unknown): error is PortFailure =>
  error instanceof PortFailure && error.code === 'not-allowed';

export type PortFailureCode =
  | 'storage-full'
  | 'storage-busy'
  | 'storage-broken'
  | 'storage-damaged'
  | 'storage-foreign'
  | 'storage-exposed'
  | 'storage-from-newer-version'
  | 'storage-from-older-version'
  | 'storage-replaced'
  | 'history-lost'
  | 'connection-lost'
  | 'timed-out'
  | 'unavailable'
  | 'not-authorized'
  | 'not-allowed'
  | 'not-found'
  | 'lock-lost'
  | 'message-too-large'
  | 'secret-missing'
  | 'profile-invalid'
  | 'profile-missing'
  | 'request-unbuildable'
  | 'token-refused'
  | 'closed';

/** Someone appended first. Load, decide again; a bounded number of times. */
export class VersionConflict extends Error {
  override readonly name = 'VersionConflict';
  constructor(
    readonly stream: string,
    readonly expected: 'new' | number,
    /** Revision of the newest event, or `new` where the stream does not exist. */
    readonly actual: 'new' | number,
  ) {
    super(
      `stream ${stream} stands at ${actual === 'new' ? 'no event' : `revision ${actual}`}, expected ${expected === 'new' ? 'no event' : `revision ${expected}`}`,
    );
  }
}

/** The chain of messages from an error to its first cause, on one line each; for logs. */
export const causeChain = (error: unknown): string => causeLines(error).join('\n');

/** The same as lines. Messages quote what came from outside: no card number, and nothing that breaks its line, gets through. */
export function causeLines(error: unknown): readonly string[] {
  const lines: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current !== undefined && depth < 8; depth++) {
    const said = current instanceof Error ? `${current.name}: ${current.message}` : textOf(current);
    lines.push(`${depth === 0 ? '' : '  caused by '}${visible(maskCardData(said))}`);
    current = current instanceof Error ? current.cause : undefined;
  }
  return lines;
}

/** Whatever was thrown: what cannot be turned into text must not hide that something was. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return `a ${typeof thrown} that cannot be shown`;
  }
}
