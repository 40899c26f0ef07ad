import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { createProgram } from '../../src/bootstrap/command-line/program';
import { TOKENS } from '../../src/bootstrap/container/tokens';
import { billerId, operatorOrdersStream, type RecordKey } from '../../src/domain/identifiers';
import { datapump, demandBuilt, expectGolden, normalized, type Said } from '../support/command-line';
import { template } from '../support/biller-fixtures';
import { OperatorWorld } from '../support/operator-world';
import { WHOLE_RUN_MS } from '../support/until';

jest.setTimeout(WHOLE_RUN_MS);
beforeAll(demandBuilt);

it('every command tells what it does and takes', () => {
  const texts: string[] = [];
  const visit = (command: ReturnType<typeof createProgram>, path: string): void => {
    texts.push(`$ datapump${path} --help\n${command.configureHelp({ helpWidth: 120 }).helpInformation()}`);
    for (const child of command.commands) visit(child, `${path} ${child.name()}`);
  };
  visit(createProgram(), '');
  expectGolden('help', texts.join('\n'));
});

describe('an operator', () => {
  let world: OperatorWorld;
  const run = (...words: string[]): Promise<Said> => datapump(words, { folder: world.folder });
  const golden = async (name: string, code: number, ...words: string[]): Promise<Said> => {
    const said = await run(...words);
    expectGolden(
      name,
      normalized(
        `$ datapump ${words.join(' ')}\n${said.stdout}${said.stderr === '' ? '' : `--- stderr\n${said.stderr}`}--- exit ${said.code}\n`,
        world.folder,
      ),
    );
    expect(said.code).toBe(code);
    return said;
  };
  const load = (): Promise<Said> => run('load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json');
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.dispose());

  it('loads payments, and loading again adds nothing', async () => {
    await golden('load', 0, 'load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json', '--shards', '3');
    await golden('load-again', 0, 'load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json', '--json');
    const totals = await world.inside(async (container) =>
      (
        await Promise.all(
          container
            .get(TOKENS.shards)
            .all()
            .map((shard) => shard.totals()),
        )
      ).flat(),
    );
    expect(totals.map((total) => [total.billerId, total.count, total.amount.minorUnits]).sort()).toEqual([
      ['AB', 2, 24_600],
      ['YZ', 1, 1_200],
    ]);
  });

  it('is told each line that is no payment or contradicts what is stored, and the rest is loaded', async () => {
    await load();
    world.write(
      'orders.csv',
      'order,biller,account,amount,category\n1,AB,000123,245.21,household\n4,A B,000123,1.234,household\n5,AB,000123,7.5\n6,AB,,-1,loan\n' +
        '"7",YZ,"000126",3.00,"a ""quoted"" thing"\n8,YZ,"000127,4.00,open\n9,YZ,000128,5.00,\n10,YZ,000129,0,x\n3,AB,000123,12,loan\n',
    );
    await golden('load-bad-lines', 0, 'load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json');
    const rows = await world.inside(async (container) =>
      (
        await Promise.all(
          container
            .get(TOKENS.shards)
            .all()
            .map((shard) => shard.rowsByStatus({ statuses: ['New'], max: 10 })),
        )
      ).flat(),
    );
    expect(rows.map(({ dpId, payment }) => [dpId, payment!.amount.minorUnits]).sort()).toEqual([
      ['bank.1', 24_520], ['bank.2', 80], ['bank.3', 1_200], ['bank.7', 300], ['bank.9', 500],
    ]); // prettier-ignore
  });

  it('sees what is there, and what to do next', async () => {
    await load();
    await golden('status-loaded', 0, 'status');
    expect(await run('status', '--check')).toMatchObject({ code: 0, stdout: 'nothing needs a person\n' });
    await golden('biller-list', 0, 'biller', 'list');
    await golden('biller-check', 0, 'biller', 'check', 'billers/AB.json', 'billers/YZ.json');
    await golden('record-explain-new', 0, 'record', 'explain', 'YZ:bank.3');
    await golden('record-explain-unknown', 1, 'record', 'explain', 'YZ:bank.99');
    await golden('prove-loaded', 0, 'prove');
  });

  it('stops everything, is told so, and lifts it; without --apply nothing changes', async () => {
    await load();
    await golden('stop-plan', 0, 'stop', 'everything');
    expect(await run('status', '--check')).toMatchObject({ code: 0 });
    expect(await run('stop', 'everything', '--apply')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--reason'),
    });
    await golden('stop-everything', 0, 'stop', 'everything', '--apply', '--reason', 'the bank called', '--by', 'ada');
    expect(await run('status', '--check')).toMatchObject({
      code: 1,
      stdout: 'NEEDS A PERSON: everything is stopped\n',
    });
    expect((await run('status')).stdout).toMatch(
      /^EVERYTHING IS STOPPED by .*: the bank called\nnext: datapump stop lift\n/,
    );
    expect((await run('biller', 'resume', 'AB')).stdout).toContain('now:  stopped, with everything, by');
    await golden('stop-lift', 0, 'stop', 'lift', '--apply', '--reason', 'solved', '--by', 'ada');
    expect(await run('status', '--check')).toMatchObject({ code: 0, stdout: 'nothing needs a person\n' });
  });

  it('checks a profile without a token URL by the default authority', async () => {
    const profile = instantiateTemplate(template('json-oauth2-keys-and-inquiry'), {
      billerId: 'OA',
      baseUrl: 'https://api.oa.example/v1',
    });
    const authentication = { ...(profile['Authentication'] as object), TokenUrl: undefined };
    world.write('oa.json', { ...profile, Authentication: authentication });
    const check = (environment: NodeJS.ProcessEnv): Promise<Said> =>
      datapump(['--config', 'datapump.config.json', 'biller', 'check', 'oa.json'], {
        folder: world.folder,
        environment,
      });
    expect(await check({})).toMatchObject({ code: 2, stderr: expect.stringContaining('/Authentication/TokenUrl') });
    expect(await check({ Auth__Authority: 'https://login.example' })).toMatchObject({ code: 0, stderr: '' });
  });

  it('sees doubts and dead letters with their stories', async () => {
    await load();
    await world.holdAndGiveUp();
    await golden('status', 0, 'status');
    await golden('record-explain-in-doubt', 0, 'record', 'explain', 'AB:bank.1');
    await golden('record-explain-as-of', 0, 'record', 'explain', 'AB:bank.1', '--as-of', '2026-11-20T07:59:59Z');
    await golden('deadletter-list', 0, 'deadletter', 'list');
    await golden('prove', 0, 'prove');
    const listed = JSON.parse((await run('in-doubt', 'list', '--json')).stdout) as { records: readonly object[] };
    expect(listed.records).toEqual([
      { record: 'AB:bank.1', shard: 'Shard-1', dataType: 'Payments', amount: { minorUnits: 24_520, currency: 'CZK' }, streamSays: 'in-doubt', cause: 'neither-inquiry-nor-keys', attempt: 1, idempotencyKey: 'key-1', since: '2026-11-20T08:00:00.000Z', resolved: false },
    ]); // prettier-ignore
    await golden('biller-show', 0, 'biller', 'show', 'AB');
    await golden('biller-show-unknown', 1, 'biller', 'show', 'nobody');
    await golden('failures', 0, 'failures');
    expect((await run('failures', '--biller', 'YZ')).stdout).toContain('nothing failed');
    expect((await run('failures', '--since', '2026-11-21')).stdout).toContain('nothing failed');
    expect(await run('status', '--check')).toMatchObject({
      code: 1,
      stdout: 'NEEDS A PERSON: 1 in doubt · 1 dead-lettered\n',
    });
    await golden('in-doubt-list-empty', 0, 'in-doubt', 'list', '--biller', 'YZ');
  });

  it('is told where shards and event store differ', async () => {
    await load();
    await world.holdAndGiveUp();
    await world.inside(async (container) => {
      const [shard] = container.get(TOKENS.shards).all();
      await shard!.changeStatuses([{ dpId: 'bank.3' as never, to: 'Delivered', from: ['New'] }]);
    });
    await golden('prove-differ', 1, 'prove');
  });

  it('resolves a doubt by a person’s word: plan, order, stored with who and why; a second word is refused', async () => {
    await load();
    await world.holdAndGiveUp();
    const words = ['in-doubt', 'resolve', 'AB:bank.1', '--as', 'delivered', '--evidence', 'statement, line 7'];
    await golden('in-doubt-resolve-plan', 0, ...words);
    const attempt = () =>
      world.inside((container) => container.get(TOKENS.history).attempt('AB:bank.1' as RecordKey, 1));
    expect((await attempt()).state.status).toBe('open');
    await golden(
      'in-doubt-resolve',
      0,
      ...words,
      '--reference',
      'B-7',
      '--apply',
      '--reason',
      'ticket 4711',
      '--by',
      'ada',
    );
    expect((await attempt()).state).toMatchObject({
      status: 'closed',
      closing: { as: 'accepted', billerReference: 'B-7' },
    });
    await golden('record-explain-resolved', 0, 'record', 'explain', 'AB:bank.1');
    await golden('in-doubt-resolve-again', 3, ...words, '--apply', '--reason', 'again', '--by', 'bob');
    await golden(
      'in-doubt-resolve-not-in-doubt',
      3,
      'in-doubt',
      'resolve',
      'AB:bank.2',
      '--as',
      'declined',
      '--evidence',
      'mail',
    );
    await golden(
      'in-doubt-resolve-unknown',
      1,
      'in-doubt',
      'resolve',
      'AB:bank.99',
      '--as',
      'declined',
      '--evidence',
      'mail',
    );
  });

  it('redrives a dead letter: plan, order, one message to its consumer', async () => {
    await load();
    await world.holdAndGiveUp();
    const words = ['deadletter', 'redrive', '--type', 'payments', '--record', 'AB:bank.2', 'AB:bank.1'];
    await golden('deadletter-redrive-plan', 1, ...words);
    await golden(
      'deadletter-redrive',
      0,
      ...words.slice(0, -1),
      '--apply',
      '--reason',
      'maintenance is over',
      '--by',
      'ada',
    );
    const [record, depth] = await world.inside(
      async (container) =>
        [
          await container.get(TOKENS.history).record('AB:bank.2' as RecordKey),
          await container.get(TOKENS.bus).depth({ topic: 'datapump-events', subscription: 'payments' }),
        ] as const,
    );
    expect(record.state).toMatchObject({ status: 'pending', redrives: 1, nextAttempt: 2 });
    expect(depth).toEqual({ active: 1, scheduled: 0, deadLettered: 0 });
    await golden(
      'deadletter-redrive-none',
      0,
      'deadletter',
      'redrive',
      '--type',
      'payments',
      '--all',
      '--apply',
      '--reason',
      'again',
      '--by',
      'ada',
    );
  });

  it('finds the way back of dead chunks and rejected rows, as status names it (issue 8, no 21)', async () => {
    await load();
    await world.giveUpChunkAndReject();
    const by = ['--apply', '--reason', 'the row was mended', '--by', 'ada'];
    await golden('status-dead-chunk', 0, 'status');
    await world.holdAndGiveUp();
    const { next } = JSON.parse((await run('status', '--json')).stdout) as { readonly next: readonly string[] };
    const named = next.map((line) => /: datapump (.*)$/.exec(line)![1]!.split(' ')).filter(([noun]) => noun !== 'run');
    expect(named.map((words) => words.join(' '))).toEqual([
      'in-doubt list', 'deadletter list --type chunks', 'deadletter list --type payments', 'rejected list',
    ]); // prettier-ignore
    for (const words of named) {
      const { code, stdout } = await run(...words);
      // What status counts is there where it sends an operator.
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.not.stringMatching(/^no /m) as string });
    }
    await golden('deadletter-list-chunks', 0, 'deadletter', 'list', '--type', 'chunks');
    await golden('deadletter-list-summary', 0, 'deadletter', 'list', '--summary');
    await golden('deadletter-list-biller', 0, 'deadletter', 'list', '--biller', 'YZ');
    const redrive = ['deadletter', 'redrive', '--type', 'chunks', '--message', 'chunk-1'];
    await golden('deadletter-redrive-chunk-plan', 0, ...redrive);
    await golden('deadletter-redrive-chunk', 0, ...redrive, ...by);
    await golden('deadletter-redrive-chunk-again', 1, ...redrive, ...by);
    await golden('rejected-list', 0, 'rejected', 'list');
    await golden('rejected-acknowledge-plan', 1, 'rejected', 'acknowledge', '--record', 'AB:bank.9', 'AB:bank.1');
    await golden('rejected-acknowledge', 0, 'rejected', 'acknowledge', '--all', ...by);
    await golden('rejected-list-empty', 0, 'rejected', 'list', '--biller', 'AB');
    const [orders, chunks] = await world.inside(
      async (container) =>
        [
          await container.get(TOKENS.eventStore).readStream(operatorOrdersStream(billerId('AB'))),
          await container.get(TOKENS.bus).depth({ topic: 'datapump-outbox', subscription: 'fetcher' }),
        ] as const,
    );
    expect(orders.map(({ type, data }) => [type, data])).toEqual([
      [
        'ChunkRedriven',
        expect.objectContaining({ messageId: 'chunk-1', rows: 0, claimedBy: 'ada', reason: 'the row was mended' }),
      ],
      ['RejectionAcknowledged', expect.objectContaining({ dpId: 'bank.9', claimedBy: 'ada' })],
      ['RejectionAcknowledged', expect.objectContaining({ dpId: 'bank.8', claimedBy: 'ada' })],
    ]);
    expect(chunks).toEqual({ active: 1, scheduled: 0, deadLettered: 0 });
  });

  it('pauses, slows and resumes a biller; an order repeated changes nothing', async () => {
    await load();
    const by = ['--apply', '--reason', 'maintenance', '--by', 'ada'];
    const state = () => world.inside((container) => container.get(TOKENS.control).state(billerId('AB')));
    await golden('biller-pause-plan', 0, 'biller', 'pause', 'AB');
    expect((await state()).paused).toBeUndefined();
    await golden('biller-pause', 0, 'biller', 'pause', 'AB', ...by);
    await golden('biller-pause-again', 0, 'biller', 'pause', 'AB', ...by);
    expect((await state()).paused).toMatchObject({ claimedBy: 'ada', reason: 'maintenance' });
    await golden('biller-rate', 0, 'biller', 'rate', 'AB', '--per-second', '5', ...by);
    await golden('biller-list-paused', 0, 'biller', 'list');
    await run('biller', 'rate', 'AB', '--clear', ...by);
    await golden('biller-resume', 0, 'biller', 'resume', 'AB', ...by);
    expect(await state()).toEqual({ paused: undefined, ratePerSecond: undefined });
    await golden('biller-pause-unknown', 1, 'biller', 'pause', 'CD', ...by);
  });
});
