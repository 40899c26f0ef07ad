/*
 * Stored for ever in the stream `historyLoss-accepted`: which losses of history people accepted, who, why, and what
 * became of the rows. Add members as optional; never rename, remove or change a meaning.
 */
import { type ShardName } from '../../domain/identifiers';
import { type Instant } from '../../domain/instant';

export type HistoryLossEvent = HistoryLossAccepted | HistoryLossConcluded;

export interface HistoryLossAccepted {
  readonly type: 'HistoryLossAccepted';
  readonly data: {
    /** The name they gave, or the user that the system knows. */
    readonly by: string;
    /** The user that the system knows. */
    readonly claimedBy?: string;
    readonly reason: string;
    readonly at: Instant;
    /** What each witness said: its name and whether the store is new, other or behind. */
    readonly lost: readonly string[];
    /** Shards that may have been restored with the store: their new rows are held too. */
    readonly restoredShards: readonly ShardName[];
    /** To when everything was restored, where only a person knows of it. */
    readonly restoredTo?: Instant;
  };
}

export interface HistoryLossConcluded {
  readonly type: 'HistoryLossConcluded';
  readonly data: { readonly at: Instant; readonly held: number; readonly finished: number; readonly left: number };
}
