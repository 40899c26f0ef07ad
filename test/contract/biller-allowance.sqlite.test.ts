import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SqliteBillerAllowance } from '../../src/adapters/sqlite/sqlite-biller-allowance';
import { billerId } from '../../src/domain/identifiers';
import { billerAllowanceContract } from './biller-allowance.contract';

billerAllowanceContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-allowance-'));
  const open = (): SqliteBillerAllowance => new SqliteBillerAllowance({ path: join(folder, 'allowance.sqlite') });
  const opened = [open()];
  return {
    allowance: opened[0]!,
    another: async () => {
      const other = open();
      opened.push(other);
      return other;
    },
    pass: async (ms) => {
      await sleep(ms);
    },
    close: async () => {
      await Promise.all(opened.map((each) => each.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
});

describe('SqliteBillerAllowance', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'datapump-allowance-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('1: keeps two processes that ask without pause within the rate of one', async () => {
    const built = join(__dirname, '../../dist/adapters/sqlite/sqlite-biller-allowance.js');
    const path = join(folder, 'allowance.sqlite');
    await new SqliteBillerAllowance({ path }).close();
    // Each says when it was granted how many, on the clock that all processes of the machine share.
    const taker = `
      const { SqliteBillerAllowance } = require(${JSON.stringify(built)});
      const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
      (async () => {
        const allowance = new SqliteBillerAllowance({ path: ${JSON.stringify(path)} });
        const grants = [];
        for (const end = nowMs() + 1500; nowMs() < end; ) {
          const { granted } = await allowance.take('water', { perSecond: 200, wanted: 7 });
          if (granted > 0) grants.push([nowMs(), granted]);
        }
        await allowance.close();
        console.log(JSON.stringify(grants));
      })();`;
    const outputs = await Promise.all([1, 2].map(() => promisify(execFile)(process.execPath, ['-e', taker])));
    const each = outputs.map(({ stdout }) => JSON.parse(stdout) as [number, number][]);
    const grants = each.flat().sort(([a], [b]) => a - b);
    for (const own of each) expect(own.length).toBeGreaterThan(0);
    const total = grants.reduce((sum, [, granted]) => sum + granted, 0);
    const elapsedMs = grants.at(-1)![0] - grants[0]![0];
    // A grant is noted a little after it was given: 100 ms of slack for that.
    expect(total).toBeLessThanOrEqual(200 + (200 * (elapsedMs + 100)) / 1_000);
    expect(total).toBeGreaterThanOrEqual(200 + 200);
  });

  it('goes on after the machine has booted and its time has begun anew', async () => {
    let nowMs = 1_000_000;
    const allowance = new SqliteBillerAllowance({ path: join(folder, 'allowance.sqlite'), nowMs: () => nowMs });
    await allowance.take(billerId('water'), { perSecond: 10, wanted: 10 });
    nowMs = 5;
    expect(await allowance.take(billerId('water'), { perSecond: 10, wanted: 1 })).toEqual({
      granted: 0,
      retryAfterMs: 100,
    });
    nowMs = 105;
    expect(await allowance.take(billerId('water'), { perSecond: 10, wanted: 1 })).toEqual({
      granted: 1,
      retryAfterMs: 0,
    });
    await allowance.close();
  });

  it('says that it was closed', async () => {
    const allowance = new SqliteBillerAllowance({ path: join(folder, 'allowance.sqlite') });
    await allowance.close();
    await expect(allowance.take(billerId('water'), { perSecond: 1, wanted: 1 })).rejects.toMatchObject({
      code: 'closed',
    });
  });
});
