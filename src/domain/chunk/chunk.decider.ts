import { accepted, alreadySo, type Decider, refused } from '../decider';
import { type Instant } from '../instant';
import { type ChunkCounts, type ChunkEvent } from './chunk.events';
import { type Chunk, evolveChunk, unplannedChunk } from './chunk.state';

export type ChunkCommand =
  | { readonly type: 'PlanChunk'; readonly plan: Extract<ChunkEvent, { type: 'ChunkPlanned' }>['data'] }
  | { readonly type: 'StartFetch'; readonly at: Instant; readonly rowByRow: boolean }
  | { readonly type: 'RecordPublished'; readonly counts: ChunkCounts; readonly at: Instant }
  | { readonly type: 'RecordFailed'; readonly code: string; readonly at: Instant };

export type ChunkRefusal = 'fetch-not-started' | 'chunk-published';

export const chunkDecider: Decider<Chunk, ChunkCommand, ChunkEvent, ChunkRefusal> = {
  initialState: unplannedChunk,
  evolve: evolveChunk,
  isTerminal: (state) => state.status === 'published',
  decide(command, state) {
    switch (command.type) {
      case 'PlanChunk':
        return state.status === 'unplanned'
          ? accepted<ChunkEvent>({ type: 'ChunkPlanned', data: command.plan })
          : alreadySo;
      case 'StartFetch':
        if (state.status === 'fetching' && state.rowByRow === command.rowByRow) return alreadySo;
        if (state.status === 'published') return refused('chunk-published');
        return accepted<ChunkEvent>({
          type: 'ChunkFetchStarted',
          data: { at: command.at, rowByRow: command.rowByRow },
        });
      case 'RecordPublished':
        if (state.status === 'published') return alreadySo;
        if (state.status !== 'fetching') return refused('fetch-not-started');
        return accepted<ChunkEvent>({ type: 'ChunkPublished', data: { ...command.counts, at: command.at } });
      case 'RecordFailed':
        if (state.status === 'failed') return alreadySo;
        if (state.status === 'published') return refused('chunk-published');
        return accepted<ChunkEvent>({ type: 'ChunkFailed', data: { at: command.at, code: command.code } });
    }
  },
};
