import { isId } from '../../domain/identifiers';
import { maskCardData } from '../../domain/policies/card-data';

/** The longest id that a broker takes. */
const ID_LENGTH_MAX = 128;

/**
 * What stands in a message where an id or a code belongs, for a list: ids, which may look like card numbers, as they are;
 * anything else, since a message may hold anything, masked and no longer than an id.
 */
export function messageText(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '-');
  if (text.length <= ID_LENGTH_MAX && text.split(':').every(isId)) return text;
  const masked = maskCardData(text);
  return masked.length > ID_LENGTH_MAX ? `${masked.slice(0, ID_LENGTH_MAX - 1)}…` : masked;
}
