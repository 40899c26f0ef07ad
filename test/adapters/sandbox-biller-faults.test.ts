import { chance, drawFault, FAULT_KINDS } from '../../src/adapters/sandbox-biller/sandbox-faults';
import { RunningSandbox, START_MS } from '../support/running-sandbox';
import { until } from '../support/until';

let sandbox: RunningSandbox;
afterEach(() => sandbox?.dispose());

const always = (kind: string, more: object = {}) =>
  RunningSandbox.start({ faults: { [kind]: 1 }, hangMs: 60, quarantineMs: 1_000, inquiry: {}, ...more });

describe('a fault of the sandbox biller', () => {
  it('error-500-before-effect: answers 500 and has no effect', async () => {
    sandbox = await always('error-500-before-effect');
    expect((await sandbox.post()).status).toBe(500);
    expect(sandbox.count('effects')).toBe(0);
    expect(sandbox.rows('SELECT kind, biller_id, reference, occurrence FROM faults')).toEqual([
      { kind: 'error-500-before-effect', biller_id: '12', reference: '12:1', occurrence: 1 },
    ]);
  });

  it('error-500-after-effect: answers 500 and has the effect', async () => {
    sandbox = await always('error-500-after-effect');
    expect((await sandbox.post()).status).toBe(500);
    expect(sandbox.rows('SELECT reference, cause FROM effects')).toEqual([
      { reference: '12:1', cause: 'error-500-after-effect' },
    ]);
  });

  it('throttled-429: answers 429 with Retry-After and has no effect', async () => {
    sandbox = await always('throttled-429');
    const reply = await sandbox.post();
    expect([reply.status, reply.headers.get('retry-after'), sandbox.count('effects')]).toEqual([429, '1', 0]);
  });

  it.each([
    ['timeout-without-effect', 0],
    ['timeout-with-effect', 1],
  ])('%s: holds the request, then closes the socket; effects: %i', async (kind, effects) => {
    sandbox = await always(kind);
    const startedAt = performance.now();
    await expect(sandbox.post()).rejects.toThrow('fetch failed');
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(55);
    expect(sandbox.count('effects')).toBe(effects);
  });

  it.each([
    ['connection-reset-before-effect', 0],
    ['connection-reset-after-effect', 1],
  ])('%s: resets the connection at once; effects: %i', async (kind, effects) => {
    sandbox = await always(kind, { hangMs: 30_000 });
    await expect(sandbox.post()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
    expect(sandbox.count('effects')).toBe(effects);
  });

  it('malformed-body-after-effect: answers success with a body that cannot be read, and has the effect', async () => {
    sandbox = await always('malformed-body-after-effect');
    const reply = await sandbox.post();
    expect(reply.status).toBe(201);
    expect(reply.text).toMatch(/^\{"status"/);
    expect(() => JSON.parse(reply.text) as unknown).toThrow(SyntaxError);
    expect(sandbox.count('effects')).toBe(1);
  });

  it('latency: answers only after the longest latency, and has the effect', async () => {
    sandbox = await always('latency', { latencyMs: { median: 0, max: 80 } });
    const startedAt = performance.now();
    expect((await sandbox.post()).status).toBe(201);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(75);
    expect(sandbox.count('effects')).toBe(1);
  });

  it('timeout-with-late-effect: lands in the quarantine, dated with the time it was due', async () => {
    sandbox = await always('timeout-with-late-effect');
    await expect(sandbox.post()).rejects.toThrow('fetch failed');
    expect([sandbox.count('effects'), sandbox.count('late_effects')]).toEqual([0, 1]);
    const dueMs = sandbox.rows('SELECT due_ms FROM late_effects')[0]!['due_ms'] as number;
    expect(dueMs).toBeGreaterThan(START_MS);
    expect(dueMs).toBeLessThan(START_MS + 1_000);

    sandbox.nowMs = dueMs - 1;
    expect((await sandbox.inquire()).body['state']).not.toBe('posted');
    sandbox.nowMs = dueMs;
    expect((await sandbox.inquire()).body).toMatchObject({ state: 'posted', amountMinorUnits: 1234 });
    expect(sandbox.rows('SELECT at, cause FROM effects')).toEqual([
      { at: new Date(dueMs).toISOString(), cause: 'timeout-with-late-effect' },
    ]);
    expect(sandbox.count('late_effects')).toBe(0);
  });

  it('a late effect lands by itself when nobody asks', async () => {
    sandbox = await always('timeout-with-late-effect', { quarantineMs: 100 });
    await expect(sandbox.post()).rejects.toThrow('fetch failed');
    sandbox.nowMs += 100;
    await until('the effect has landed', () => sandbox.count('effects') === 1);
  });

  it('a late effect outlives a restart, keeps its date, and lands before the first answer', async () => {
    sandbox = await always('timeout-with-late-effect', { quarantineMs: 60_000 });
    await expect(sandbox.post()).rejects.toThrow('fetch failed');
    const dueMs = sandbox.rows('SELECT due_ms FROM late_effects')[0]!['due_ms'] as number;
    await sandbox.stopServer();
    expect(sandbox.count('effects')).toBe(0);
    sandbox.nowMs += 3_600_000;
    await sandbox.startServer();
    expect((await sandbox.inquire()).body['state']).toBe('posted');
    expect(sandbox.rows('SELECT at FROM effects')).toEqual([{ at: new Date(dueMs).toISOString() }]);
  });

  it('of late effects some are seen as pending and some not at all', async () => {
    sandbox = await always('timeout-with-late-effect', { hangMs: 1, quarantineMs: 600_000 });
    const references = Array.from({ length: 30 }, (_, index) => `12:${index}`);
    await Promise.all(
      references.map((reference) => expect(sandbox.post({ reference })).rejects.toThrow('fetch failed')),
    );
    const states = new Set<unknown>();
    for (const reference of references) states.add((await sandbox.inquire(reference)).body['state']);
    expect(states).toEqual(new Set(['pending', 'absent']));
  });

  it('a declined account is declined late, too', async () => {
    sandbox = await always('timeout-with-late-effect', { quarantineMs: 1_000 });
    await expect(sandbox.post({ account: 'CLOSED-1' })).rejects.toThrow('fetch failed');
    sandbox.nowMs += 1_000;
    expect((await sandbox.inquire()).body).toEqual({ state: 'declined' });
    expect([sandbox.count('effects'), sandbox.count('declines')]).toEqual([0, 1]);
  });
});

describe('chance in the sandbox biller', () => {
  const faults = { 'throttled-429': 0.25, 'error-500-after-effect': 0.25, 'malformed-body-after-effect': 0.25 };
  async function run(seed: string): Promise<readonly unknown[]> {
    const one = await RunningSandbox.start({ faults }, seed);
    try {
      for (let index = 0; index < 40; index += 1) await one.post({ reference: `12:${index % 20}` });
      return one.rows('SELECT kind, reference, occurrence FROM faults ORDER BY reference, occurrence');
    } finally {
      await one.dispose();
    }
  }

  it('gives the same faults for the same seed, and others for another', async () => {
    const [first, second, other] = [await run('a'), await run('a'), await run('b')];
    expect(first.length).toBeGreaterThan(10);
    expect(second).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it('counts the requests of a reference across a restart', async () => {
    sandbox = await RunningSandbox.start({ faults: { 'throttled-429': 1 } });
    await sandbox.post();
    await sandbox.stopServer();
    await sandbox.startServer();
    await sandbox.post();
    expect(sandbox.rows('SELECT occurrence FROM faults')).toEqual([{ occurrence: 1 }, { occurrence: 2 }]);
  });

  it('spares the requests of a reference after its first ones, where it is told to', async () => {
    sandbox = await RunningSandbox.start({ faults: { 'throttled-429': 1 }, faultyRequestsMax: 2 });
    const answers = [await sandbox.post(), await sandbox.post(), await sandbox.post()];
    expect(answers.map(({ status }) => status)).toEqual([429, 429, 201]);
  });

  it('meets the rates it is given', () => {
    const rates = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0.05]));
    const seen: Record<string, number> = {};
    for (let index = 0; index < 20_000; index += 1) {
      const kind = drawFault({ seed: '7', billerId: '12', reference: `12:${index}`, occurrence: 1 }, rates) ?? 'none';
      seen[kind] = (seen[kind] ?? 0) + 1;
    }
    for (const kind of FAULT_KINDS) expect(Math.abs(seen[kind]! - 1_000)).toBeLessThan(150);
    expect(Math.abs(seen['none']! - 10_000)).toBeLessThan(400);
  });

  it('draws anew for each occurrence and purpose', () => {
    const draw = { seed: '7', billerId: '12', reference: '12:1', occurrence: 1 };
    const draws = [chance(draw, 'fault'), chance(draw, 'latency'), chance({ ...draw, occurrence: 2 }, 'fault')];
    expect(new Set(draws).size).toBe(3);
  });
});
