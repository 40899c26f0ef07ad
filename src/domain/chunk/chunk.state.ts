import { type ChunkCounts, type ChunkEvent } from './chunk.events';

/** unplanned → planned → fetching ⇄ failed → published; a foreign chunk may start at fetching. */
export type Chunk =
  | { readonly status: 'unplanned' }
  | { readonly status: 'planned' }
  | { readonly status: 'fetching'; readonly rowByRow: boolean }
  | { readonly status: 'failed' }
  | { readonly status: 'published'; readonly counts: ChunkCounts };

export const unplannedChunk: Chunk = { status: 'unplanned' };

export function evolveChunk(state: Chunk, event: ChunkEvent): Chunk {
  switch (event.type) {
    case 'ChunkPlanned':
      return state.status === 'unplanned' ? { status: 'planned' } : state;
    case 'ChunkFetchStarted':
      return { status: 'fetching', rowByRow: event.data.rowByRow };
    case 'ChunkPublished': {
      const { published, rejected, skipped, alreadyFinished } = event.data;
      return { status: 'published', counts: { published, rejected, skipped, alreadyFinished } };
    }
    case 'ChunkFailed':
      return { status: 'failed' };
  }
}
