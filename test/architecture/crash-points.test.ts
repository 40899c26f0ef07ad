import { CRASH_POINTS } from '../../src/application/crash-point';
import { CRASH_CASES } from '../../src/bootstrap/crash-test/crash-cases';
import { sourceFiles } from './source-files';

const called = sourceFiles('src').flatMap(({ text }) =>
  [...text.matchAll(/crashPoint\('([^']+)'\)/g)].map((found) => found[1]!),
);

it('every crash point stands at one place of the product', () => {
  expect([...called].sort()).toEqual([...CRASH_POINTS].sort());
});

it('every crash point is a case of the crash test', () => {
  expect([...new Set(CRASH_CASES.map(({ point }) => point))].sort()).toEqual([...CRASH_POINTS].sort());
  expect(new Set(CRASH_CASES.map(({ name }) => name)).size).toBe(CRASH_CASES.length);
  expect(CRASH_POINTS.length).toBeGreaterThanOrEqual(40);
});
