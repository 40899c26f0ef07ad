import { isId } from '../../domain/identifiers';
import { maskCardData } from '../../domain/policies/card-data';

/** The longest id that a broker takes. */
const LENGTH_MAX = 128;

/** What stands in a message where a reason or a type belongs, for a list: a message may hold anything, so it is masked and short. */
export function messageText(value: unknown): string {
  const masked = maskCardData(typeof value === 'string' ? value : (JSON.stringify(value) ?? '-'));
  return masked.length > LENGTH_MAX ? `${masked.slice(0, LENGTH_MAX - 1)}…` : masked;
}

/** The same where an id belongs: one that is an id, or some with colons between, may look like a card number and stays as it is. */
export const messageIdText = (text: string): string =>
  text.length <= LENGTH_MAX && text.split(':').every(isId) ? text : messageText(text);
