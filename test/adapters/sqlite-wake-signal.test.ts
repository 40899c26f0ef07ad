import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WakeSignal } from '../../src/adapters/sqlite/wake-signal';
import { until } from '../support/until';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** After one has heard of a file, another that was to hear of it too has. */
const TOLD_MS = 50;

describe('waking receivers (issue 9, no 16)', () => {
  let folder: string;
  let one: WakeSignal;
  let two: WakeSignal;
  let heard: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-wake-'));
    one = new WakeSignal(join(folder, 'bus.wake'));
    two = new WakeSignal(join(folder, 'bus.wake'));
    heard = [];
  });
  afterEach(() => {
    one.close();
    two.close();
    rmSync(folder, { recursive: true });
  });
  const hear = (signal: WakeSignal, queue: string, name = queue) => signal.listen(queue, () => void heard.push(name));

  it('tells the listeners of that queue, in this and in other processes, and no others', async () => {
    hear(one, 'a/b', 'here');
    hear(two, 'a/b', 'there');
    hear(one, 'a/b/dead', 'dead');
    one.signal('a/b');
    expect(heard).toEqual([]);
    await Promise.resolve();
    expect(heard).toEqual(['here']);
    await until('the other process has heard', () => heard.includes('there'));
    await pause(TOLD_MS);
    expect(new Set(heard)).toEqual(new Set(['here', 'there']));
    expect(readdirSync(join(folder, 'bus.wake'))).toEqual(['a%2Fb']);
    expect(statSync(join(folder, 'bus.wake')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'bus.wake', 'a%2Fb')).mode & 0o077).toBe(0);
  });

  it('tells once of what one turn has changed, and again of the next', async () => {
    const alone = new WakeSignal(undefined);
    hear(alone, 'q');
    for (let times = 0; times < 5; times++) alone.signal('q');
    await pause(1);
    expect(heard).toEqual(['q']);
    alone.signal('q');
    await pause(1);
    expect(heard).toEqual(['q', 'q']);
    alone.close();
  });

  it('a listener that has gone hears nothing, the others still do', async () => {
    const gone = hear(one, 'q', 'gone');
    hear(one, 'q', 'stays');
    gone();
    one.signal('q');
    await pause(1);
    expect(new Set(heard)).toEqual(new Set(['stays']));
  });

  it('closed, it hears nothing of others and writes nothing', async () => {
    const others = new WakeSignal(join(folder, 'bus.wake'));
    const told = async (queue: string): Promise<void> => {
      let has = false;
      others.listen(queue, () => (has = true));
      two.signal(queue);
      await until('those that are open have heard', () => has);
      await pause(TOLD_MS);
    };
    hear(one, 'q');
    one.close();
    await told('q');
    expect(heard).toEqual([]);
    one.signal('other');
    await pause(1);
    expect(readdirSync(join(folder, 'bus.wake'))).toEqual(['q']);
    hear(one, 'late');
    await told('late');
    expect(heard).toEqual([]);
    others.close();
  });

  it('a folder that goes away costs nobody a failure', async () => {
    rmSync(join(folder, 'bus.wake'), { recursive: true });
    hear(one, 'q');
    one.signal('q');
    await pause(1);
    expect(heard).toEqual(['q']);
  });
});
