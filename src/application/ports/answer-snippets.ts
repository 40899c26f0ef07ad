import { type Instant } from '../../domain/instant';

/** One call of forget removes no more. */
export const FORGOTTEN_PER_CALL_MAX = 500;

/**
 * Masked, short pieces of answers that settled nothing, for whoever writes a biller's profile. Events name them and never
 * hold them: this store forgets.
 *
 * Laws:
 *  1  What is kept is found by its name. Kept again, it is kept once, and its age begins anew.
 *  2  What was never kept, or is forgotten, is undefined.
 *  3  forget removes what was last kept before the instant, the oldest first, at most FORGOTTEN_PER_CALL_MAX, and tells how many.
 */
export interface AnswerSnippets {
  /** `name`: a digest of the text, so that it tells nothing once the text is forgotten. */
  keep(snippet: { readonly name: string; readonly text: string; readonly at: Instant }): Promise<void>;
  find(name: string): Promise<string | undefined>;
  forget(before: Instant): Promise<number>;
}
