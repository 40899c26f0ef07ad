import { damagedFailure, DAMAGE_REMEDY } from '../../src/adapters/shared/damage';

const cause = new Error('cause');
it.each([
  [{ path: 'a.sqlite' }, 'a.sqlite is damaged', { path: 'a.sqlite' }],
  [{ path: 'a', table: 't' }, 'a, table t is damaged', { path: 'a', table: 't' }],
  [{ path: 'a', item: 'row 1' }, 'a, row 1 is damaged', { path: 'a' }],
  [{ path: 'a', table: 't', item: 'row 1', facts: { dpId: '1' } }, 'a, table t, row 1 is damaged', { path: 'a', table: 't', dpId: '1' }],
])('%j is named with what is known of it, and the remedy', (place, words, facts) => {
  const failure = damagedFailure('failed to read', place, 'no text', cause);
  expect(failure.message).toBe(`failed to read: ${words} (no text): ${DAMAGE_REMEDY}`);
  expect(failure).toMatchObject({ code: 'storage-damaged', retryable: false, cause });
  expect(failure.facts).toEqual(facts);
}); // prettier-ignore
