/** Who orders a change at the command line, and why. Both are stored with the change, for ever. */
export interface OperatorOrder {
  /** As the system knows it, such as `root@ops-1`: nobody gives it by hand. */
  readonly by: string;
  /** Who the person said to be; stands beside `by` and never in its place. */
  readonly claimedBy?: string;
  readonly reason: string;
}
