import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { datapump, demandBuilt, expectGolden, normalized, type Said } from '../support/command-line';
import { MAPPING, OperatorWorld } from '../support/operator-world';
import { WHOLE_RUN_MS } from '../support/until';

jest.setTimeout(WHOLE_RUN_MS);
beforeAll(demandBuilt);

describe('bad input gets a clear error that names the place, before anything is opened', () => {
  let world: OperatorWorld;
  const run = (words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Said> =>
    datapump(words, { folder: world.folder, environment });
  /** Exit code, and the words of stderr; nothing may have gone to stdout. */
  const expectRefused = async (
    name: string,
    words: readonly string[],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<void> => {
    const said = await run(words, environment);
    expectGolden(
      `bad-input/${name}`,
      normalized(
        `$ datapump ${words.join(' ')}\n${said.stdout}--- stderr\n${said.stderr}--- exit ${said.code}\n`,
        world.folder,
      ),
    );
    expect(said).toMatchObject({ code: 2, stdout: '' });
  };
  const dataFolder = (): string => join(world.folder, 'data');
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.dispose());

  it.each<[string, readonly string[]]>([
    ['unknown-command', ['statsu']],
    ['unknown-verb', ['deadletter', 'redirve']],
    ['unknown-flag', ['in-doubt', 'list', '--bilelr', '12']],
    ['missing-flag', ['in-doubt', 'resolve', 'AB:bank.1', '--as', 'delivered']],
    ['missing-argument', ['record', 'explain']],
    ['missing-reason', ['biller', 'pause', 'AB', '--apply']],
    ['redrive-without-reason', ['deadletter', 'redrive', '--type', 'payments', '--all', '--apply', '--reason', ' ']],
    ['redrive-everything-wrong', ['deadletter', 'redrive', '--type', 'payment', '--record', 'x', '--all', '--apply']],
    ['resolve-everything-wrong', ['in-doubt', 'resolve', 'AB', '--as', 'done', '--evidence', '', '--apply']],
    ['rate-both', ['biller', 'rate', 'A B', '--per-second', '0', '--clear']],
    ['record-malformed', ['record', 'explain', '12', '--as-of', 'yesterday']],
    ['list-max', ['deadletter', 'list', '--max', '0', '--type', 'x']],
    ['no-data', ['status']],
    ['load-files-missing', ['load', '--file', 'none.csv', '--mapping', 'none.json', '--shards', '0']],
    ['config-missing', ['--config', 'none.json', 'status']],
  ])('%s', async (name, words) => {
    await expectRefused(name, words);
    expect(existsSync(dataFolder())).toBe(false);
  });

  it('contradictory and unknown settings, all at once', async () => {
    await expectRefused('settings', ['status'], {
      Scanner__SleepSeconds: 'soon',
      Scanner__SleepSecond: '5',
      Bus__LockSeconds: '4',
      Billers__AllowPlainLoopback: 'maybe',
    });
    await expectRefused('settings-contradict', ['status'], {
      Environment__Name: 'production',
      Billers__AllowPlainLoopback: 'true',
      Sweep__AfterMinutes: '1',
      Scanner__MaxChunkSize: '5000',
      Scanner__ClaimRowsMax: '10',
    });
  });

  it('a broken profile: file, place in it, what was expected; every file at once', async () => {
    const profile = JSON.parse(readFileSync(join(world.folder, 'billers/AB.json'), 'utf8')) as Record<string, unknown>;
    world.write('billers/CD.json', {
      ...profile,
      BillerID: 'CD',
      BaseUrl: 'http://elsewhere.test',
      Timeout: 'soon',
      Answers: [{ Status: '2xx', When: 'body.', Outcome: 'fine' }],
    });
    world.write('billers/EF.json', '{ "BillerID": ');
    world.write('billers/GH.json', { ...profile, Timeout: '70s', BaseUrl: 'https://elsewhere.test/v1' });
    world.write('billers/IJ.json', { ...profile, Timeout: '70s' });
    world.write('billers/KL.json', { ...profile, BillerID: 'KL', Timeout: '70s' });
    await expectRefused('biller-check', ['biller', 'check']);
    await expectRefused('biller-check-files', ['biller', 'check', 'billers/AB.json', 'billers/none.json']);
    expect(existsSync(dataFolder())).toBe(false);
  });

  it('a wrong header, a broken mapping: nothing is loaded', async () => {
    world.write('wrong.csv', 'order;biller,account,value\n1,AB,000123,245.20\n');
    world.write('twice.csv', 'order,biller,account,amount,category,order\n');
    world.write('empty.csv', '');
    world.write('broken.mapping.json', {
      ...MAPPING,
      delimeter: ';',
      fields: { ...MAPPING.fields, amount: { colum: 'amount' }, paidAt: undefined },
    });
    for (const name of ['wrong', 'twice', 'empty'])
      await expectRefused(`load-${name}-header`, ['load', '--file', `${name}.csv`, '--mapping', 'orders.mapping.json']);
    await expectRefused('load-broken-mapping', ['load', '--file', 'orders.csv', '--mapping', 'broken.mapping.json']);
    expect(existsSync(dataFolder())).toBe(false);
  });

  it('other shards than there are', async () => {
    await run(['load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json', '--shards', '2']);
    await expectRefused('load-other-shards', [
      'load',
      '--file',
      'orders.csv',
      '--mapping',
      'orders.mapping.json',
      '--shards',
      '3',
    ]);
  });

  it('a database file that is not ours, or from a newer version, is refused and left as it was', async () => {
    await run(['load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json']);
    const shard = join(dataFolder(), 'shards', 'Shard-1.sqlite');
    const newer = new Database(shard);
    newer.pragma('user_version = 9999');
    newer.close();
    await expectRefused('newer-version', ['status']);
    const file = world.write(
      'data/shards/Shard-1.sqlite',
      'not a database, but long enough to be looked at '.repeat(100),
    );
    const before = readFileSync(file);
    await expectRefused('not-ours', ['prove']);
    expect(readFileSync(file)).toEqual(before);
  });
});
