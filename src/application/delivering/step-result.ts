import { COMPLETE, type Settlement } from '../messaging/settlement';
import { type Visit } from './visit';

/** What one step of a visit came to. */
export type StepResult =
  /** The record or its attempt has moved, by this visit: choose the next step. */
  | { readonly next: 'look-again'; readonly visit: Visit }
  /** Somebody else moved it: nothing that was read counts any more. */
  | { readonly next: 'read-again' }
  | { readonly next: 'settle'; readonly settlement: Settlement };

export const lookAgain = (visit: Visit): StepResult => ({ next: 'look-again', visit });
export const READ_AGAIN: StepResult = { next: 'read-again' };
export const COMPLETED: StepResult = { next: 'settle', settlement: COMPLETE };
export const deadLettered = (why: { readonly reason: string; readonly description: string }): StepResult => ({
  next: 'settle',
  settlement: { settle: 'dead-letter', ...why },
});
