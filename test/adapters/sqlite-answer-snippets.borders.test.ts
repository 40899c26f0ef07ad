import { SqliteAnswerSnippets } from '../../src/adapters/sqlite/sqlite-answer-snippets';
import { instant, plusMs } from '../../src/domain/instant';

const NOW = instant('2026-11-21T12:00:00.000Z');
const HOUR_MS = 3_600_000;

describe('a masked answer kept again (issue 9, no 16)', () => {
  it.each([
    [1, false],
    [HOUR_MS - 1, false],
    [HOUR_MS, true],
    [HOUR_MS + 1, true],
  ])('%i ms later is written anew: %s', async (ms, written) => {
    const snippets = new SqliteAnswerSnippets({ path: ':memory:' });
    await snippets.keep({ name: 'a', text: 'one', at: NOW });
    await snippets.keep({ name: 'a', text: 'one', at: plusMs(NOW, ms) });
    expect(await snippets.forget(plusMs(NOW, 1))).toBe(written ? 0 : 1);
    expect(await snippets.find('a')).toBe(written ? 'one' : undefined);
    snippets.close();
  });
});
