import { readdirSync, readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { type Command } from 'commander';
import { createProgram } from '../../src/bootstrap/command-line/program';
import { TOKENS } from '../../src/bootstrap/container/tokens';
import { datapump, demandBuilt, type Said } from '../support/command-line';
import { HIDDEN } from '../support/hidden-characters';
import { OperatorWorld } from '../support/operator-world';
import { WHOLE_RUN_MS } from '../support/until';

jest.setTimeout(WHOLE_RUN_MS);
beforeAll(demandBuilt);

/** Every verb that stores who ordered it, with arguments that do something in the operator's world. */
const ORDERS: Readonly<Record<string, readonly string[]>> = {
  'biller pause': ['AB'],
  'biller rate': ['AB', '--per-second', '5'],
  'biller resume': ['AB'],
  'stop everything': [],
  'stop lift': [],
  'in-doubt resolve': ['AB:bank.1', '--as', 'delivered', '--evidence', 'statement'],
  'deadletter redrive': ['--type', 'payments', '--all'],
  'rejected acknowledge': ['--all'],
};
/** They need another world: load-command.test.ts, history-commands.test.ts, history-lost.test.ts. */
const TRIED_ELSEWHERE = ['load', 'history set-aside', 'history accept-loss'];
const SYSTEM = `${userInfo().username}@${hostname()}`;

const verbsWithOrder = (command: Command, path: readonly string[] = []): readonly string[] => [
  ...(command.options.some(({ long }) => long === '--by') ? [path.join(' ')] : []),
  ...command.commands.flatMap((child) => verbsWithOrder(child, [...path, child.name()])),
];

describe('the words of an operator', () => {
  let world: OperatorWorld;
  const run = (words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Said> =>
    datapump(words, { folder: world.folder, environment });
  const order = (verb: string, ...more: readonly string[]): readonly string[] => [
    ...verb.split(' '),
    ...ORDERS[verb]!,
    '--apply',
    ...more,
  ];
  const events = () =>
    world.inside(async (container) =>
      (await container.get(TOKENS.eventStore).readAll({ max: 500 })).events.map(({ type, data }) => ({
        type,
        data: data as Record<string, unknown>,
      })),
    );
  beforeEach(async () => {
    world = new OperatorWorld();
    await run(['load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json']);
    await world.holdAndGiveUp();
  });
  afterEach(() => world.dispose());

  it('every verb with an order is tried here', () =>
    expect([...verbsWithOrder(createProgram())].sort()).toEqual([...Object.keys(ORDERS), ...TRIED_ELSEWHERE].sort()));

  it('never replace who the system knows it was (issue 8, no 12)', async () => {
    for (const verb of Object.keys(ORDERS)) {
      const said = await run(order(verb, '--reason', 'why', '--by', 'CEO'), { DATAPUMP_OPERATOR: 'ana@bank.example' });
      expect([verb, said.code, said.stderr]).toEqual([verb, 0, '']);
      expect(said.stdout).toContain(`done, by ${SYSTEM} (DATAPUMP_OPERATOR: ana@bank.example) (says: CEO)`);
    }
    const stored = (await events()).filter(({ data }) => 'by' in data);
    expect(stored.map(({ type }) => type).sort()).toEqual([
      'BillerPaused',
      'BillerPaused',
      'BillerRateSet',
      'BillerResumed',
      'BillerResumed',
      'DeliveryAttemptResolvedByOperator',
      'DpRecordRedriven',
    ]);
    for (const { data } of stored)
      expect(data).toMatchObject({ by: `${SYSTEM} (DATAPUMP_OPERATOR: ana@bank.example)`, claimedBy: 'CEO' });
    const story = (await run(['record', 'explain', 'AB:bank.1'])).stdout;
    expect(story).toContain(`operator ${SYSTEM} (DATAPUMP_OPERATOR: ana@bank.example) (says: CEO) resolved it`);
  });

  it('are refused where they show as nothing (issue 8, no 11)', async () => {
    const nothing = '\u200b\u2060 \u3164';
    for (const verb of Object.keys(ORDERS)) {
      const said = await run(order(verb, '--reason', nothing, '--by', nothing));
      expect([verb, said.code]).toEqual([verb, 2]);
      expect(said.stderr).toContain('--apply needs --reason');
      expect(said.stderr).toContain('--by: expected 1 to 500 characters, some of them visible');
    }
    const blank = await run([
      'in-doubt',
      'resolve',
      'AB:bank.1',
      '--as',
      'declined',
      '--evidence',
      nothing,
      '--reference',
      nothing,
    ]);
    expect(blank.stderr).toMatch(/--evidence: expected .* visible[^]*--reference: expected .* visible/);
  });

  it('forge no line and hide nothing in what is printed (issue 8, no 11)', async () => {
    const forged = `x\n2026-11-20 08:00:00.000Z  operator@bank:1  delivered by attempt 1\r\u001b[2J${HIDDEN.filter((each) => each !== '\u0000').join('a')}`;
    const outputs: Said[] = [
      await run([
        ...order('in-doubt resolve', '--reason', forged, '--by', forged, '--reference', forged).map((word) =>
          word === 'statement' ? forged : word,
        ),
      ]),
      await run(order('biller pause', '--reason', forged, '--by', forged)),
      await run(['record', 'explain', 'AB:bank.1']),
      await run(['record', 'explain', 'AB:bank.1', '--json']),
      await run(['biller', 'list']),
      await run(['status']),
      await run(['status', '--json']),
      await run(['record', 'explain', forged]),
      await run([forged]),
      await run(['status', `--${forged}`]),
      await run(['--config', forged, 'status']),
      await run(['status'], { [`Data__Folder`]: forged.slice(0, 40) }),
      await run(['biller', 'check', forged]),
    ];
    for (const { stdout, stderr } of outputs) {
      expect(`${stdout}${stderr}`.replaceAll('\n', '')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      expect(`${stdout}${stderr}`).not.toMatch(/^2026-11-20 08:00:00\.000Z  operator@bank:1/m);
    }
    expect(outputs[2]!.stdout).toContain('x\\n2026-11-20');
    expect((JSON.parse(outputs[6]!.stdout) as { paused: readonly { reason: string }[] }).paused[0]!.reason).toContain(
      '\u202e',
    );
  });

  it('leave no card number in any file or output (issue 8, no 14)', async () => {
    const canary = '4929 4212 3460 0821';
    const bare = canary.replaceAll(' ', '');
    const said = [
      await run(
        [
          ...order('in-doubt resolve', '--reason', canary, '--by', `me ${bare}`, '--reference', bare).map((word) =>
            word === 'statement' ? `saw ${canary}, cvv 737` : word,
          ),
        ],
        { DATAPUMP_OPERATOR: bare },
      ),
      await run(order('biller pause', '--reason', canary)),
      await run(['status', '--no-such', canary]),
      await run(['in-doubt', 'resolve', 'x', '--as', canary, '--evidence', 'e']),
      await run(['status'], { Scanner__SleepSeconds: canary }),
      await run(['record', 'explain', 'AB:bank.1', '--json']),
      await run(['status']),
    ];
    world.write('orders.csv', `order,biller,account,amount,category\n9,A ${canary},000123,${canary},household\n`);
    said.push(await run(['load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json']));
    const files = readdirSync(join(world.folder, 'data'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      /sqlite(-wal)?$/.test(name),
    );
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const name of files) {
      const content = readFileSync(join(world.folder, 'data', name)).toString('latin1');
      expect([name, content.includes(bare), content.includes(canary), content.includes('cvv 737')]).toEqual([
        name,
        false,
        false,
        false,
      ]);
    }
    const text = said.map(({ stdout, stderr }) => stdout + stderr).join('');
    expect([text.includes(bare), text.includes(canary)]).toEqual([false, false]);
    expect(text).toContain('[card ****0821]');
  });
});
