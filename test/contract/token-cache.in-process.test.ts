import { InProcessTokenCache } from '../../src/adapters/system/in-process-token-cache';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { tokenCacheContract } from './token-cache.contract';

tokenCacheContract('in process', () => {
  const clock = new SystemClock();
  return Promise.resolve({ cache: new InProcessTokenCache(clock), clock, close: () => Promise.resolve() });
});
