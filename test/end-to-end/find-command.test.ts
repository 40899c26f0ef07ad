import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { datapump, demandBuilt, type Said } from '../support/command-line';
import { OperatorWorld } from '../support/operator-world';
import { WHOLE_RUN_MS } from '../support/until';

jest.setTimeout(WHOLE_RUN_MS);
beforeAll(demandBuilt);

interface Found {
  readonly complete: boolean;
  readonly incomplete: readonly string[];
  readonly total: number | null;
  readonly next: string | null;
  readonly newNotSearched: number | null;
  readonly records: readonly { readonly record: string; readonly status: string; readonly cause?: string }[];
}

describe('find', () => {
  let world: OperatorWorld;
  const run = (...words: string[]): Promise<Said> => datapump(words, { folder: world.folder });
  const find = async (...words: string[]): Promise<Found> =>
    JSON.parse((await run('find', ...words, '--json')).stdout) as Found;
  const shown = ({ records }: Found) => records.map(({ record, status }) => `${record} ${status}`).sort();

  beforeAll(async () => {
    world = new OperatorWorld();
    await run('load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json', '--shards', '3');
    await world.holdAndGiveUp();
  });
  afterAll(() => world.dispose());

  it.each<[readonly string[], readonly string[]]>([
    [['--customer', '000123'], ['AB:bank.1 in-doubt']],
    [['--customer', 'customer'], ['AB:bank.1 in-doubt', 'AB:bank.2 dead-lettered', 'YZ:bank.3 new']],
    [['--customer', 'customer', '--biller', 'YZ'], ['YZ:bank.3 new']],
    [['--customer', 'customer', '--status', 'in-doubt,dead-lettered', '--type', 'payments', '--amount', '.80'], ['AB:bank.2 dead-lettered']],
    [['--customer', 'custom'], []],
    [['--reference', '3'], ['YZ:bank.3 new']],
    [['--reference', 'bank.1'], ['AB:bank.1 in-doubt']],
    [['--reference', '3', '--customer', '000125'], ['YZ:bank.3 new']],
    [['--reference', '3', '--customer', '000124'], []],
    [['--amount', '245.20'], ['AB:bank.1 in-doubt']],
    [['--amount', '245.20 CZK'], ['AB:bank.1 in-doubt']],
    [['--amount', '245.20 EUR'], []],
    [['--biller', 'AB'], ['AB:bank.1 in-doubt', 'AB:bank.2 dead-lettered']],
    [['--status', 'dead-lettered'], ['AB:bank.2 dead-lettered']],
    [['--reason', 'AttemptsUsedUp'], ['AB:bank.2 dead-lettered']],
    [['--from', '2026-11-20', '--to', '2026-11-20'], ['AB:bank.1 in-doubt', 'AB:bank.2 dead-lettered']],
    [['--from', '2026-11-21'], []],
    [['--to', '2026-11-19'], []],
  ])('%j finds %j', async (words, expected) => {
    const found = await find(...words);
    expect(shown(found)).toEqual(expected);
    expect([found.total, found.complete, found.next]).toEqual([expected.length, true, null]);
  }); // prettier-ignore

  it('tells how many rows were not searched, since nobody has taken them up', async () => {
    expect((await find('--status', 'delivered')).newNotSearched).toBe(1);
    expect((await find('--biller', 'AB')).newNotSearched).toBe(0);
    expect((await run('find', '--status', 'delivered')).stdout).toContain(
      '1 row nobody has taken up yet: found by --customer or --reference only',
    );
  });

  it.each([[['--customer', 'customer']], [['--from', '2026-11-20']]])('goes on page by page: %j', async (words) => {
    const all = (await find(...words)).records.map(({ record }) => record);
    const paged: string[] = [];
    let after: string | null = null;
    for (const _ of all) {
      const page = await find(...words, '--limit', '1', ...(after === null ? [] : ['--after', after]));
      expect(page.total).toBe(all.length);
      paged.push(...page.records.map(({ record }) => record));
      after = page.next;
    }
    expect([paged, after]).toEqual([all, null]);
  });

  it('does not repeat what was searched for: it may be personal', async () => {
    for (const words of [
      ['find', '--customer', '000123'],
      ['find', '--customer', '000123', '--json'],
    ])
      // prettier-ignore
      expect((await run(...words)).stdout).not.toMatch(/000123|Customer/);
  });

  it('tells all that is wrong with what is asked, and needs something to go by', async () => {
    const wrong = await run('find', '--amount', '1.234 EUR', '--from', 'yesterday', '--to', '2026-02-30', '--status', 'lost', '--type', 'x', '--limit', '0', '--after', 'x', '--customer', ' '); // prettier-ignore
    expect([wrong.code, wrong.stderr.match(/--(amount|from|to|status|type|limit|after|customer):/g)?.sort()]).toEqual([
      2,
      ['--after:', '--amount:', '--customer:', '--from:', '--limit:', '--status:', '--to:', '--type:'],
    ]);
    expect(await run('find')).toMatchObject({ code: 2, stderr: expect.stringContaining('at least one of --customer') });
  });

  it('says which shard did not answer, and shows what the others know', async () => {
    const damaged = new OperatorWorld();
    try {
      const words = ['load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json', '--shards', '3'];
      await datapump(words, { folder: damaged.folder });
      const shards = join(damaged.folder, 'data', 'shards');
      const rowsIn = (file: string): boolean => readFileSync(join(shards, file)).includes('bank.3');
      const other = readdirSync(shards).find((file) => file.endsWith('.sqlite') && !rowsIn(file))!;
      const content = readFileSync(join(shards, other));
      content.fill(0x5a, 100, 4_096);
      writeFileSync(join(shards, other), content);
      for (const suffix of ['-wal', '-shm'])
        if (readdirSync(shards).includes(other + suffix)) writeFileSync(join(shards, other + suffix), '');
      const said = await datapump(['find', '--reference', '3', '--json'], { folder: damaged.folder });
      const found = JSON.parse(said.stdout) as Found;
      expect([said.code, found.complete, shown(found)]).toEqual([1, false, ['YZ:bank.3 new']]);
      expect(found.incomplete.join()).toContain(`shard ${other.replace('.sqlite', '')} did not answer`);
      const text = await datapump(['find', '--amount', '7'], { folder: damaged.folder });
      expect(text).toMatchObject({ code: 1, stdout: expect.stringContaining('INCOMPLETE, there may be more:') });
    } finally {
      damaged.dispose();
    }
  });
});
