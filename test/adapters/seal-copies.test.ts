import { type SealCopy } from '../../src/application/history/history-seal';
import { asideOfText, asideText, copyOfText, newCopies, shortCopyText } from '../../src/adapters/shared/seal-copies';
import { instant } from '../../src/domain/instant';

const AT = instant('2026-11-20T08:00:00.000Z');
const copy = (number: number, more: Partial<SealCopy> = {}): SealCopy => ({
  number,
  previous: `digest-${number - 1}`,
  through: `p-${number}`,
  events: 3,
  root: `root-${number}`,
  at: AT,
  digest: `digest-${number}`,
  ...more,
});

describe('the text of a kept seal', () => {
  it('tells what was kept', () => {
    const signed = copy(7, { signature: 's', key: 'k' });
    for (const kept of [copy(7), signed]) expect(copyOfText(7, shortCopyText(kept))).toMatchObject(kept);
  });

  it.each([
    ['of another number', shortCopyText(copy(8))],
    ['that is no JSON', '{'],
    ['that is no object', '7'],
    ['that is null', 'null'],
    ['without its digest', JSON.stringify({ ...copy(7), digest: undefined })],
    ['with a number as text', JSON.stringify({ ...copy(7), number: '7' })],
    ['with a signature that is no text', JSON.stringify({ ...copy(7), signature: 7 })],
  ])('%s agrees with nothing', (_, text) =>
    expect(copyOfText(7, text)).toEqual({
      number: 7, previous: '', through: '', events: 0, root: '', digest: 'unreadable', at: '1970-01-01T00:00:00.000Z',
    })); // prettier-ignore
});

describe('which copies are new', () => {
  const kept = (number: number): SealCopy | undefined => (number >= 1 && number <= 2 ? copy(number) : undefined);
  it.each<[string, readonly SealCopy[], readonly number[] | 'refused']>([
    ['nothing', [], []],
    ['the next', [copy(3)], [3]],
    ['the next two', [copy(3), copy(4)], [3, 4]],
    ['what is kept, and the next', [copy(1), copy(2), copy(3)], [3]],
    ['one that leaves a gap', [copy(4)], 'refused'],
    ['a gap among the new ones', [copy(3), copy(5)], 'refused'],
    ['another in place of one that is kept', [copy(2, { root: 'other' })], 'refused'],
    ['one before the first', [copy(0)], 'refused'],
    ['the same new one twice', [copy(3), copy(3)], 'refused'],
  ])('%s', (_, copies, added) => {
    const found = newCopies(copies, 2, kept);
    expect(found === 'refused' ? found : found.map(({ number }) => number)).toEqual(added);
  });
});

it('a set-aside is told again as it was, and nothing else is one', () => {
  const aside = { from: 4, by: 'ana', reason: 'restored', at: AT };
  expect(asideOfText(asideText(aside))).toEqual(aside);
  for (const text of ['{', '{}', 'null', '{"setAside":{}}', '{"setAside":{"from":"4"}}'])
    expect(asideOfText(text)).toBeUndefined();
});
