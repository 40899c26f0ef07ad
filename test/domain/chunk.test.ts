import { type ChunkCommand, chunkDecider } from '../../src/domain/chunk/chunk.decider';
import { type ChunkEvent } from '../../src/domain/chunk/chunk.events';
import { billerId, chunkId, dpId, shardName } from '../../src/domain/identifiers';
import { atSecond } from '../support/events';
import { given } from './given';

const chunk = (...history: readonly ChunkEvent[]) => given(chunkDecider, ...history);
const plan = {
  chunkId: chunkId('c'),
  billerId: billerId('12'),
  dataType: 'Payments',
  shard: shardName('s'),
  dpStart: dpId('1'),
  dpEnd: dpId('2'),
  rows: 2,
} as const;
const counts = { published: 4, rejected: 3, skipped: 2, alreadyFinished: 1 };
const planned: ChunkEvent = { type: 'ChunkPlanned', data: plan };
const fetching = (rowByRow: boolean): ChunkEvent => ({
  type: 'ChunkFetchStarted',
  data: { at: atSecond(1), rowByRow },
});
const published: ChunkEvent = { type: 'ChunkPublished', data: { ...counts, at: atSecond(2) } };
const failed: ChunkEvent = { type: 'ChunkFailed', data: { at: atSecond(2), code: 'broken' } };
const planIt: ChunkCommand = { type: 'PlanChunk', plan };
const fetchIt = (rowByRow: boolean): ChunkCommand => ({ type: 'StartFetch', at: atSecond(1), rowByRow });
const publishIt: ChunkCommand = { type: 'RecordPublished', counts, at: atSecond(2) };
const failIt: ChunkCommand = { type: 'RecordFailed', code: 'broken', at: atSecond(2) };

it('is planned once', () => {
  chunk().when(planIt).then(planned);
  for (const before of [[planned], [fetching(false)], [planned, failed], [planned, fetching(false), published]])
    chunk(...before)
      .when(planIt)
      .thenNothing();
});

it('is fetched, also where another team planned it, and again row by row after a failure', () => {
  chunk().when(fetchIt(false)).then(fetching(false));
  chunk(planned).when(fetchIt(false)).then(fetching(false));
  chunk(planned, fetching(false)).when(fetchIt(false)).thenNothing();
  chunk(planned, fetching(false)).when(fetchIt(true)).then(fetching(true));
  chunk(planned, fetching(false), failed).when(fetchIt(true)).then(fetching(true));
  chunk(planned, fetching(false), published).when(fetchIt(false)).thenRefused('chunk-published');
});

it('is published once, by a fetch that was begun', () => {
  chunk(planned, fetching(true)).when(publishIt).then(published);
  chunk(planned, fetching(true), published).when(publishIt).thenNothing();
  for (const before of [[], [planned], [planned, fetching(false), failed]])
    chunk(...before)
      .when(publishIt)
      .thenRefused('fetch-not-started');
});

it('fails until it is published', () => {
  chunk(planned, fetching(false)).when(failIt).then(failed);
  chunk(planned).when(failIt).then(failed);
  chunk(planned, fetching(false), failed).when(failIt).thenNothing();
  chunk(planned, fetching(false), published).when(failIt).thenRefused('chunk-published');
});

it('remembers how far it came', () => {
  chunk(planned).thenState({ status: 'planned' });
  chunk(planned, fetching(true)).thenState({ status: 'fetching', rowByRow: true });
  chunk(planned, fetching(true), planned).thenState({ status: 'fetching', rowByRow: true });
  chunk(planned, fetching(true), failed).thenState({ status: 'failed' });
  chunk(planned, fetching(true), published).thenState({ status: 'published', counts });
});

it('has its end when it is published', () => {
  expect([
    chunkDecider.isTerminal({ status: 'published', counts }),
    chunkDecider.isTerminal({ status: 'failed' }),
  ]).toEqual([true, false]);
});
