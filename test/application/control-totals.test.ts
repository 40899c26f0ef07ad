import { addTo, emptyTally, sameTally, tallyText } from '../../src/application/queries/control-totals';

const tallied = (...totals: readonly Parameters<typeof addTo>[1][]) => {
  const tally = emptyTally();
  for (const total of totals) addTo(tally, total);
  return tally;
};
const of = (count: number, minorUnits: number, currency = 'USD') => ({ count, amount: { minorUnits, currency } });

it('counts rows, and money per currency, without what is none', () => {
  expect(tallied(of(2, 300), of(1, 50), of(1, 7, 'JPY'), of(4, 0, 'EUR'), { count: 3, amount: undefined })).toEqual({
    count: 11,
    amounts: { USD: 350, JPY: 7 },
  });
});

it('is told with its money where it has any', () => {
  expect(tallyText(emptyTally())).toBe('0');
  expect(tallyText(tallied({ count: 12, amount: undefined }))).toBe('12');
  expect(tallyText(tallied(of(12, 34_050)))).toBe('12 (340.50 USD)');
  expect(tallyText(tallied(of(1, 34_050), of(1, 5, 'JPY')))).toBe('2 (340.50 USD, 5 JPY)');
});

it('is the same with the same count and the same money in every currency of either', () => {
  const one = tallied(of(2, 300), of(1, 7, 'JPY'));
  expect(sameTally(one, tallied(of(1, 7, 'JPY'), of(2, 300)))).toBe(true);
  for (const other of [
    tallied(of(2, 300), of(2, 7, 'JPY')),
    tallied(of(2, 300), of(1, 8, 'JPY')),
    tallied(of(3, 300)),
    tallied(of(2, 300), of(0, 7, 'JPY'), of(1, 1, 'EUR')),
  ]) {
    expect(sameTally(one, other)).toBe(false);
    expect(sameTally(other, one)).toBe(false);
  }
});
