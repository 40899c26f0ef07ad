import { runSummaryLines, summaryOf } from '../../src/adapters/command-line/run-summary';
import { lookLines, programWords, shellWord } from '../../src/bootstrap/demo/look-lines';
import { type ShardTotal } from '../../src/application/ports/shard-totals';
import { type RecordKey } from '../../src/domain/identifiers';

const total = (status: ShardTotal['status'], count: number, minorUnits = 0, currency = 'EUR'): ShardTotal =>
  ({
    billerId: '12',
    dataType: 'Payments',
    status,
    count,
    amount: { minorUnits, currency },
    oldestAt: undefined,
  }) as unknown as ShardTotal;

describe('the end of a run (issue 8, no 22)', () => {
  it('tells counts and money per end, who must act and what the exit code means', () => {
    const totals = [
      total('Delivered', 2, 1_250),
      total('Delivered', 1, 300, 'CZK'),
      total('InDoubt', 1, 5),
      total('Failed', 3, 7),
      total('Rejected', 4),
      total('New', 1, 9),
    ];
    const evenly = (line: string): string => line.replace(/ {2,}/g, '  ').replace(/-{2,}/g, '--');
    expect(runSummaryLines(summaryOf(totals, 'drained', 0)).map(evenly)).toEqual([
      'records now  count  money',
      '--  --  --',
      'delivered  3  12.50 EUR, 3.00 CZK',
      'rejected, never sent  4  -',
      'given up, in the dead letters  3  0.07 EUR',
      'in doubt  1  0.05 EUR',
      'open  1  0.09 EUR',
      'a person: 1 in doubt: datapump in-doubt list',
      'a person: 3 given up: datapump deadletter list',
      'a person: 4 rejected: docs/runbooks/rejected-records.md',
      'exit code 0: drained: nothing eligible is left, and nothing is on its way; what waits for a person does not change the code',
    ]);
  });

  it('tells what happened where it was stopped', () => {
    expect(runSummaryLines(summaryOf([], 'stopped', 1)).at(-1)).toBe(
      'exit code 1: stopped by a signal before all was delivered; run it again to go on',
    );
    expect(runSummaryLines(summaryOf([], 'stopped', 1))).toContain('nothing waits for a person');
  });

  it('of a demo gives commands that can be pasted', () => {
    expect(shellWord('/plain/path-1')).toBe('/plain/path-1');
    expect(shellWord("/it's a path")).toBe(`'/it'\\''s a path'`);
    const config = "/nowhere/my demo's/datapump.config.json";
    expect(
      lookLines(programWords({ npm_lifecycle_event: 'demo' }, '/x/main.js'), config, '12:100' as RecordKey),
    ).toEqual([
      'Look into it with:',
      `  npm run -s datapump -- --config '/nowhere/my demo'\\''s/datapump.config.json' record explain 12:100`,
      `  npm run -s datapump -- --config '/nowhere/my demo'\\''s/datapump.config.json' status`,
    ]);
    expect(programWords({}, '/x/main.js')).toEqual(['node', '/x/main.js']);
  });
});
