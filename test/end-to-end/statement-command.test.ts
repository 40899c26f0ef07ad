import { datapump, demandBuilt, type Said } from '../support/command-line';
import { OperatorWorld } from '../support/operator-world';
import { WHOLE_RUN_MS } from '../support/until';

jest.setTimeout(WHOLE_RUN_MS);
beforeAll(demandBuilt);

describe('in-doubt resolve --file', () => {
  let world: OperatorWorld;
  const run = (...words: string[]): Promise<Said> => datapump(words, { folder: world.folder });
  const statement = (text: string): string => world.write('statement.csv', text);
  const resolve = (...words: string[]): Promise<Said> =>
    run('in-doubt', 'resolve', '--file', 'statement.csv', '--biller', 'AB', ...words);

  beforeAll(async () => {
    world = new OperatorWorld();
    await run('load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json', '--shards', '3');
    await world.holdAndGiveUp();
  });
  afterAll(() => world.dispose());

  it('tells all that is wrong with its words at once', async () => {
    const said = await run(
      'in-doubt', 'resolve', 'AB:bank.1', '--file', 'none.csv', '--as', 'delivered', '--columns', 'sum=x', '--delimiter', ';;', '--covers', '2026-11-31',
    ); // prettier-ignore
    expect(said.code).toBe(2);
    for (const place of ['<record>', '--as', '--columns', '--delimiter', '--covers', '--biller'])
      expect(said.stderr).toContain(`${place}:`);
    expect((await resolve('--apply')).code).toBe(2);
    const missing = await run('in-doubt', 'resolve', '--file', 'none.csv', '--biller', 'AB');
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('none.csv: ENOENT')]);
  });

  it('finds what the biller posted though we ended it, and what contradicts; nothing is changed by a plan', async () => {
    statement('record,amount,currency\nbank.1,245.21,CZK\nbank.2,245.20,CZK\nbank.9,1,CZK\n');
    const said = await resolve();
    expect(said.code).toBe(1);
    expect(said.stdout).toContain('line 2 AB:bank.1: amount is 245.21 CZK there, 245.20 CZK here');
    expect(said.stdout).toContain('line 3 AB:bank.2: 245.20 CZK, here dead-lettered');
    expect(said.stdout).toContain('line 4 AB:bank.9: 1.00 CZK');
    expect(said.stdout).not.toContain('resolved, by');
    expect((await run('in-doubt', 'list')).stdout).toContain('AB:bank.1');
  });

  it('resolves nothing by a statement of which a line cannot be read', async () => {
    statement('record,amount,currency\nbank.1,245.20,CZK\nbank.2,1.2.3,CZK\n');
    const said = await resolve('--apply', '--reason', 'statement of November');
    expect([said.code, said.stderr]).toEqual([3, expect.stringContaining('could not be read')]);
    expect((await run('in-doubt', 'list', '--json')).stdout).toContain('"resolved": false');
  });

  it('plans, then resolves, what agrees in every field, and says so a second time', async () => {
    statement('record,reference,amount,currency\nbank.1,R-77,245.20,CZK\n');
    const plan = await resolve();
    expect([plan.code, plan.stdout]).toEqual([0, expect.stringContaining('nothing was changed; add --apply')]);
    expect(plan.stdout).toContain('1 line of a record in doubt: they resolve it (245.20 CZK)');
    const done = await resolve('--apply', '--reason', 'statement of November', '--by', 'anna');
    expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('1 doubt resolved, by')]);
    const story = (await run('record', 'explain', 'AB:bank.1')).stdout;
    expect(story).toContain('statement statement.csv, line 2 (statement of November)');
    expect(story).toContain('R-77');
    expect((await run('in-doubt', 'list', '--json')).stdout).toContain('"records": []');
  });
});
