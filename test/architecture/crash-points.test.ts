import { CRASH_CASES } from '../../src/bootstrap/crash-test/crash-cases';
import { CRASH_PLACES } from '../../src/bootstrap/crash-test/crash-places';
import { CRASH_POINTS } from '../../src/bootstrap/processes/crash-points';
import { sourceFiles } from './source-files';

const passedByName = sourceFiles('src').flatMap(({ text }) =>
  [...text.matchAll(/crashPoint\('([^']+)'\)/g)].map((found) => found[1]!),
);

it('every crash point is a call of a port, or is passed by name in one place; the protocol knows of none', () => {
  expect([...passedByName, ...Object.keys(CRASH_PLACES)].sort()).toEqual([...CRASH_POINTS].sort());
  const inside = sourceFiles('src').filter(({ path }) => /^src\/(domain|application|adapters)\//.test(path));
  expect(inside.length).toBeGreaterThan(100);
  expect(inside.filter(({ text }) => /crash-?point/i.test(text)).map(({ path }) => path)).toEqual([]);
});

it('every place names a method that its port has', () => {
  const ports: Readonly<Record<string, string>> = {
    events: 'event-store',
    bus: 'message-bus',
    receiver: 'message-bus',
    shard: 'shard-(claims|results|rows)',
    gateway: 'biller-gateway',
    call: 'biller-gateway',
  };
  for (const { call } of Object.values(CRASH_PLACES)) {
    const [port, method] = call.split('.') as [string, string];
    const texts = sourceFiles('src/application/ports').filter(({ path }) =>
      new RegExp(`/${ports[port]}\\.ts$`).test(path),
    );
    expect(texts.some(({ text }) => new RegExp(`^  ${method}\\(`, 'm').test(text)) || call).toBe(true);
  }
});

it('every crash point is a case of the crash test', () => {
  expect([...new Set(CRASH_CASES.map(({ point }) => point))].sort()).toEqual([...CRASH_POINTS].sort());
  expect(new Set(CRASH_CASES.map(({ name }) => name)).size).toBe(CRASH_CASES.length);
  expect(CRASH_POINTS.length).toBeGreaterThanOrEqual(40);
});
