import {
  allowedPredecessors,
  isRowStatus,
  ROW_STATUSES,
  UNFINISHED_STATUSES,
} from '../../src/domain/dp-record/row-status';

const NOT_FINAL = ['New', 'Queued', 'Published', 'Failed', 'InDoubt'];

it.each([
  ['New', []],
  ['Queued', ['New']],
  ['Published', ['Queued']],
  ['Delivered', NOT_FINAL],
  ['Declined', NOT_FINAL],
  ['Rejected', NOT_FINAL],
  ['Skipped', NOT_FINAL],
  ['Withdrawn', NOT_FINAL],
  ['Failed', ['New', 'Queued', 'Published', 'InDoubt']],
  ['InDoubt', ['New', 'Queued', 'Published', 'Failed']],
] as const)('%s follows %j and nothing else', (to, from) => {
  expect([...allowedPredecessors(to)].sort()).toEqual([...from].sort());
});

it('names ten statuses, of which two owe a result', () => {
  expect(ROW_STATUSES).toHaveLength(10);
  expect(UNFINISHED_STATUSES).toEqual(['Queued', 'Published']);
});

it('knows its own words, exactly so', () => {
  expect(ROW_STATUSES.every(isRowStatus)).toBe(true);
  expect(['published', 'Done', ''].map(isRowStatus)).toEqual([false, false, false]);
});
