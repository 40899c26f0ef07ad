import { type AnswerSnippets, FORGOTTEN_PER_CALL_MAX } from '../../src/application/ports/answer-snippets';
import { instant, plusMs } from '../../src/domain/instant';

export interface AnswerSnippetsFixture {
  readonly snippets: AnswerSnippets;
  dispose(): void;
}

const NOW = instant('2026-11-21T12:00:00.000Z');
const DAY_MS = 24 * 3_600_000;

/** The laws of AnswerSnippets. */
export function answerSnippetsContract(name: string, open: () => AnswerSnippetsFixture): void {
  describe(`AnswerSnippets: ${name}`, () => {
    let under: AnswerSnippetsFixture;
    beforeEach(() => (under = open()));
    afterEach(() => under.dispose());

    it('1: what is kept is found by its name', async () => {
      await under.snippets.keep({ name: 'a', text: 'one', at: NOW });
      await under.snippets.keep({ name: 'b', text: 'two', at: NOW });
      await under.snippets.keep({ name: 'a', text: 'one', at: NOW });
      expect([await under.snippets.find('a'), await under.snippets.find('b')]).toEqual(['one', 'two']);
    });

    it('1: kept again, its age begins anew, also where an older keep comes late', async () => {
      await under.snippets.keep({ name: 'a', text: 'one', at: NOW });
      await under.snippets.keep({ name: 'a', text: 'one', at: plusMs(NOW, 2 * DAY_MS) });
      await under.snippets.keep({ name: 'a', text: 'one', at: plusMs(NOW, DAY_MS / 2) });
      expect(await under.snippets.forget(plusMs(NOW, DAY_MS))).toBe(0);
      expect(await under.snippets.find('a')).toBe('one');
      expect(await under.snippets.forget(plusMs(NOW, 3 * DAY_MS))).toBe(1);
    });

    it('2: what was never kept, or is forgotten, is undefined, and can be kept again', async () => {
      expect(await under.snippets.find('a')).toBeUndefined();
      await under.snippets.keep({ name: 'a', text: 'one', at: NOW });
      await under.snippets.forget(plusMs(NOW, 1));
      expect(await under.snippets.find('a')).toBeUndefined();
      await under.snippets.keep({ name: 'a', text: 'one', at: plusMs(NOW, 2) });
      expect(await under.snippets.find('a')).toBe('one');
    });

    it('3: forgets the oldest first, a bounded number at a time, and nothing younger', async () => {
      for (let n = 0; n < FORGOTTEN_PER_CALL_MAX + 10; n++)
        await under.snippets.keep({ name: `n${n}`, text: 'x', at: plusMs(NOW, n) });
      const before = plusMs(NOW, FORGOTTEN_PER_CALL_MAX + 5);
      expect(await under.snippets.forget(before)).toBe(FORGOTTEN_PER_CALL_MAX);
      expect(await under.snippets.find('n0')).toBeUndefined();
      expect(await under.snippets.find(`n${FORGOTTEN_PER_CALL_MAX}`)).toBe('x');
      expect([await under.snippets.forget(before), await under.snippets.forget(before)]).toEqual([5, 0]);
      expect(await under.snippets.find(`n${FORGOTTEN_PER_CALL_MAX + 5}`)).toBe('x');
    });
  });
}
