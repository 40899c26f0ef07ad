import { isBlank } from '../../domain/invisible-text';
import { maskCardData } from '../../domain/policies/card-data';

const OPERATOR_TEXT_MAX = 500;

/**
 * What an operator wrote, as it may be stored for ever: not blank to the eye, not too long, no card number in it.
 * Undefined where it is none; the problem goes to the list of the command's others.
 */
export function operatorText(text: string, where: string, problems: string[]): string | undefined {
  if (isBlank(text) || text.length > OPERATOR_TEXT_MAX) {
    problems.push(`${where}: expected 1 to ${OPERATOR_TEXT_MAX} characters, some of them visible`);
    return undefined;
  }
  return maskCardData(text.trim());
}
