import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SqliteShard } from '../../src/adapters/sqlite/sqlite-shard';
import { billerId, chunkId, customerId, dpId, shardName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';

const BUILT = join(__dirname, '../../dist');
const ROWS = 3_000;

/** A program of its own, over the built code, that has the shard open as `shard`. */
const program = (path: string, work: string): string => `
  const { randomUUID } = require('node:crypto');
  const { SqliteShard } = require(${JSON.stringify(join(BUILT, 'adapters/sqlite/sqlite-shard.js'))});
  const { planChunks } = require(${JSON.stringify(join(BUILT, 'domain/policies/chunking.js'))});
  (async () => {
    const shard = new SqliteShard({ name: 'Shard-1', path: ${JSON.stringify(path)} });
    ${work}
    await shard.close();
  })().catch((error) => { console.error(error); process.exit(1); });`;

describe('a shard file that several processes have open', () => {
  let folder: string;
  let path: string;
  let shard: SqliteShard;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'datapump-shard-'));
    path = join(folder, 'shard.sqlite');
    shard = new SqliteShard({ name: shardName('Shard-1'), path });
    await shard.seed({
      rows: Array.from({ length: ROWS }, (_, index) => ({
        dpId: dpId(String(index + 1)),
        billerId: billerId('water'),
        dataType: 'Paperless',
        customerId: customerId('c'),
        createdAt: instantFromMs(index),
      })),
    });
  });
  afterEach(async () => {
    await shard.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([2, 4])('2: %d claiming processes never claim the same row and together claim all', async (processes) => {
    const claimer = program(
      path,
      `
      let claimed = 0;
      for (;;) {
        const chunks = await shard.claim({ billers: ['water'], rowsMax: 20, plan: (rows) => planChunks(rows, 10), newChunkId: () => randomUUID() });
        if (chunks.length === 0) break;
        claimed += chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
      }
      console.log(claimed);`,
    );
    const outputs = await Promise.all(
      Array.from({ length: processes }, () => promisify(execFile)(process.execPath, ['-e', claimer])),
    );
    const claimed = outputs.map(({ stdout }) => Number(stdout));
    expect(claimed.reduce((sum, rows) => sum + rows, 0)).toBe(ROWS);
    const chunks = await shard.unpublishedChunks(5_000);
    expect(chunks.reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(ROWS);
    const ids = (await Promise.all(chunks.map((chunk) => shard.rowsOfChunk(chunk.chunkId))))
      .flat()
      .map((row) => row.dpId);
    expect(new Set(ids).size).toBe(ROWS);
  });

  it('3: a claimer killed inside its transaction leaves nothing, and holds nobody up', async () => {
    const frozen = program(
      path,
      `
      await shard.claim({ billers: ['water'], rowsMax: 100, newChunkId: () => randomUUID(), plan: (rows) => {
        require('node:fs').writeSync(1, 'in the transaction');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      } });`,
    );
    const child = spawn(process.execPath, ['-e', frozen], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const claiming = shard.claim({
      billers: [billerId('water')],
      rowsMax: 1,
      plan: ([row]) => [{ ...row!, dpIds: [row!.dpId] }],
      newChunkId: () => chunkId('mine'),
    });
    expect(await Promise.race([claiming, new Promise((resolve) => setTimeout(resolve, 200, 'waiting'))])).toBe(
      'waiting',
    );
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect((await claiming).map((chunk) => chunk.chunkId)).toEqual(['mine']);
    expect(await shard.unpublishedChunks(10)).toHaveLength(1);
    expect(await shard.totals()).toMatchObject([
      { status: 'New', count: ROWS - 1 },
      { status: 'Queued', count: 1 },
    ]);
  });

  it('a result that was acknowledged survives the death of the process that wrote it', async () => {
    const writer = program(
      path,
      `
      await shard.changeStatuses([{ dpId: '1', to: 'Queued', from: ['New'] }]);
      await shard.reconcile({ dpId: '1', to: 'Delivered', from: ['Queued'], detail: { attempt: 1, outcome: 'Delivered', recordedAt: '2026-01-01T00:00:00.000Z' } });
      process.kill(process.pid, 'SIGKILL');`,
    );
    const child = spawn(process.execPath, ['-e', writer], { stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    expect(await shard.findRow(dpId('1'))).toMatchObject({ status: 'Delivered', details: [{ attempt: 1 }] });
  });
});
