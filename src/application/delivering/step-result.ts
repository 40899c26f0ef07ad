import { COMPLETE, type Settlement } from '../messaging/settlement';
import { type Visit } from './visit';

/** What one step of a visit came to. */
export type StepResult =
  /** The record or its attempt has moved, by this visit: choose the next step. */
  | { readonly then: 'look-again'; readonly visit: Visit }
  /** Somebody else moved it: nothing that was read counts any more. */
  | { readonly then: 'read-again' }
  | { readonly then: 'settle'; readonly settlement: Settlement };

export const lookAgain = (visit: Visit): StepResult => ({ then: 'look-again', visit });
export const READ_AGAIN: StepResult = { then: 'read-again' };
export const COMPLETED: StepResult = { then: 'settle', settlement: COMPLETE };
export const deadLettered = (why: { readonly reason: string; readonly description: string }): StepResult => ({
  then: 'settle',
  settlement: { settle: 'dead-letter', ...why },
});
