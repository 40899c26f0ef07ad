import { firstDifference } from '../history/history-seal';
import { type EventStore } from '../ports/event-store';
import { type SealWitness } from '../ports/seal-witness';
import { newestSeal, sealNumbered } from '../history/stored-seals';

export interface LostSeals {
  /** Number of the newest seal in the event store; 0: it has none. */
  readonly newest: number;
  /** What copies know beyond it. */
  readonly lost: readonly { readonly witness: SealWitness; readonly from: number; readonly to: number }[];
  /** Copies that do not say the same as the event store where both know a seal, in words: no older backup explains that. */
  readonly otherwise: readonly string[];
}

/** What a restored event store does not know of its own history. */
export function lostSeals(ports: { readonly eventStore: EventStore; readonly witnesses: readonly SealWitness[] }) {
  return async (): Promise<LostSeals> => {
    const newest = (await newestSeal(ports.eventStore))?.number ?? 0;
    const lost: LostSeals['lost'][number][] = [];
    const otherwise: string[] = [];
    for (const witness of ports.witnesses) {
      const to = (await witness.newest())?.number ?? 0;
      const shared = Math.min(newest, to);
      const [copy] = shared === 0 ? [] : await witness.read({ from: shared, max: 1 });
      const own = copy && (await sealNumbered(ports.eventStore, copy.number))?.seal;
      if (copy && (!own || firstDifference(own, copy) !== undefined))
        otherwise.push(`seal ${copy.number} in ${witness.name} is another one than in the event store`);
      else if (to > newest) lost.push({ witness, from: newest + 1, to });
    }
    return { newest, lost, otherwise };
  };
}
