import { maskCardData } from '../../domain/policies/card-data';

const SHOWN_LENGTH_MAX = 80;
/** Enough that a card number, however spaced, is masked before its text is cut. */
const LOOKED_AT_MAX = 1_024;

/** What was found, short enough for a log line and a dead-letter description. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return `${value} (no safe integer; send ids as text)`;
  // Cut before it is quoted: a text may be as long as a message.
  const text = maskCardData(typeof value === 'string' ? JSON.stringify(value.slice(0, LOOKED_AT_MAX)) : asJson(value));
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}

/** A bus hands out no value nested so deep; whoever asks otherwise is told what it was all the same. */
function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return `something that cannot be shown (${typeof value})`;
  }
}
