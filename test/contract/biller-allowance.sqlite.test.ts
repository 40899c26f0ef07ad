import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteBillerAllowance } from '../../src/adapters/sqlite/sqlite-biller-allowance';
import { billerId } from '../../src/domain/identifiers';
import { grantedToTwoProcesses, TAKERS_PER_SECOND } from '../support/rate-takers';
import { billerAllowanceContract } from './biller-allowance.contract';

billerAllowanceContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-allowance-'));
  let nowMs = 1_000_000;
  const open = (): SqliteBillerAllowance =>
    new SqliteBillerAllowance({ path: join(folder, 'allowance.sqlite'), nowMs: () => nowMs });
  const opened = [open()];
  return {
    allowance: opened[0]!,
    another: async () => {
      const other = open();
      opened.push(other);
      return other;
    },
    pass: async (ms) => {
      nowMs += ms;
    },
    nowMs: () => nowMs,
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
    const { granted, elapsedMs } = await grantedToTwoProcesses(`
      const { SqliteBillerAllowance } = require(${JSON.stringify(built)});
      const allowance = new SqliteBillerAllowance({ path: ${JSON.stringify(path)} });
      const close = () => allowance.close();`);
    expect(granted).toBeLessThanOrEqual(TAKERS_PER_SECOND + (TAKERS_PER_SECOND * elapsedMs) / 1_000);
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
