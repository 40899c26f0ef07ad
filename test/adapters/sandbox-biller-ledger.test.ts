import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { SandboxLedger } from '../../src/adapters/sandbox-biller/sandbox-ledger';

let directory: string;
let ledger: SandboxLedger;
let failures: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sandbox-ledger-'));
  failures = [];
  ledger = new SandboxLedger(join(directory, 'ledger.db'), (error) => failures.push(error.message));
});
afterEach(() => {
  ledger.close();
  rmSync(directory, { recursive: true, force: true });
});

/** As another process sees it. */
function committed(): number {
  const database = new Database(join(directory, 'ledger.db'), { readonly: true });
  try {
    return database.prepare('SELECT count(*) FROM declines').pluck().get() as number;
  } finally {
    database.close();
  }
}
const decline = (reference: string) => ledger.recordDecline('12', reference, 'account-closed', 0);
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('the ledger of the sandbox biller', () => {
  it('lets no answer leave before its commit, and commits a turn at once', async () => {
    const seen: number[] = [];
    for (const reference of ['1', '2', '3']) {
      decline(reference);
      ledger.afterCommit(() => seen.push(committed()));
    }
    expect([seen, committed()]).toEqual([[], 0]);
    await nextTurn();
    expect(seen).toEqual([3, 3, 3]);
  });

  it('holds back an answer that only read what is not committed yet', async () => {
    decline('1');
    expect(ledger.findOutcome('12', '1', 0)).toEqual({ state: 'declined' });
    let told = false;
    ledger.afterCommit(() => (told = true));
    expect(told).toBe(false);
    await nextTurn();
    expect(told).toBe(true);
  });

  it('lets no answer of a turn leave once one write of it failed, and none later', async () => {
    let told = 0;
    decline('1');
    ledger.afterCommit(() => (told += 1));
    expect(() => ledger.recordDecline('12', undefined as never, 'account-closed', 0)).toThrow();
    ledger.afterCommit(() => (told += 1));
    await nextTurn();
    expect(() => decline('2')).toThrow('takes no more writes');
    expect([told, committed(), failures.length]).toEqual([0, 0, 1]);
  });

  it('commits what is open when it closes', () => {
    decline('1');
    ledger.close();
    expect(committed()).toBe(1);
  });
});
