import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { datapump, demandBuilt, expectGolden, normalized, type Said } from '../support/command-line';
import { OperatorWorld } from '../support/operator-world';
import { WHOLE_RUN_MS } from '../support/until';

jest.setTimeout(WHOLE_RUN_MS);
beforeAll(demandBuilt);

describe('profiles as an integrator and an operator meet them', () => {
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.dispose());
  const run = (words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Said> =>
    datapump(words, { folder: world.folder, environment });
  const golden = async (name: string, words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Said> => {
    const said = await run(words, environment);
    const text = `$ datapump ${words.join(' ')}\n${said.stdout}--- stderr\n${said.stderr}--- exit ${said.code}\n`;
    expectGolden(`profiles/${name}`, normalized(text, world.folder));
    return said;
  };
  const profile = (): Record<string, unknown> =>
    JSON.parse(readFileSync(join(world.folder, 'billers/AB.json'), 'utf8')) as Record<string, unknown>;
  const load = ['load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json'];

  it('everything that would double, empty or misread a payment is told by the check and refused at the start (issue 8, no 1, 2, 17, 22, 23)', async () => {
    await run(load);
    const { Requests } = profile() as { Requests: Record<string, Record<string, unknown>> };
    world.write('billers/AB.json', {
      ...profile(),
      Rollout: 'live',
      BaseUrl: 'http://127.0.0.1:9/v1',
      Quarantine: '0s',
      Idempotency: { Header: 'authorization', Retention: '24h' },
      Requests: {
        ...Requests,
        Payment: {
          ...Requests['Payment'],
          Path: '/payments/{record.dpid}',
          Headers: { 'Transfer-Encoding': 'chunked' },
          Body: '{ "account": customer.acountNumber, "amount": $numbr(payment.amount) }',
        },
      },
      Answers: [
        { Status: '2xx', Outcome: 'accepted' },
        { Status: 200, When: "body.status = 'declined'", Outcome: 'declined' },
      ],
    });
    expect(await golden('unsound', ['biller', 'check', 'billers/AB.json'])).toMatchObject({ code: 2 });
    expect(await run(['run', 'all', '--until-drained'])).toMatchObject({ code: 2 });
    expect(await run(['run', 'consumer', '--type', 'payments'])).toMatchObject({ code: 2 });
    world.write('billers/AB.json', { ...profile(), Rollout: 'shadow' });
    expect((await run(['run', 'all'])).stderr).toContain('shadow mode does not exist yet');
  });

  it('a secret that is not there is told by the check and refused at the start of what calls billers (issue 8, no 2)', async () => {
    await run(load);
    rmSync(join(world.folder, 'secrets.json'));
    world.write('secrets.json', {});
    const check = await golden('secrets-missing', ['biller', 'check']);
    expect(check.code).toBe(2);
    for (const words of [
      ['run', 'all'],
      ['run', 'consumer', '--type', 'payments'],
    ]) {
      const said = await run(words);
      expect(said.code).toBe(2);
      expect(said.stderr).toContain('secret json-basic-neither-user is missing');
    }
    for (const id of ['AB', 'YZ'])
      world.write(`billers/${id}.json`, {
        ...JSON.parse(readFileSync(join(world.folder, `billers/${id}.json`), 'utf8')),
        Rollout: 'off',
      });
    expect(await run(['biller', 'check'])).toMatchObject({ code: 0 });
  });

  it('the former system’s file: known billers, not deliverable, and no harm to the others (issue 8, no 19)', async () => {
    await run(load);
    const { Vendor, NameTemplate, Mode } = profile();
    const legacy = {
      BillerID: 139, NameTemplate, Vendor, IntegrationClass: 'A.B.C', Mode, Actions: ['Payment'], Constraints: { AllowedInvoiceTypes: null, SkipNOCs: true },
    }; // prettier-ignore
    world.write('billers/legacy-billers.json', [legacy]);
    expect(await golden('legacy-check', ['biller', 'check'])).toMatchObject({ code: 0 });
    expect(await golden('legacy-list', ['biller', 'list'])).toMatchObject({ code: 0 });
    const said = JSON.parse((await run(['biller', 'list', '--json'])).stdout) as { notDeliverable: string[] };
    expect(said.notDeliverable).toEqual(['139']);
  });

  it('works on the data types that are listed, and says what waits (issue 8, no 19)', async () => {
    await run(load);
    const subset = { ServiceBus__Subscriptions: 'autopay, paperless', Scanner__SleepSeconds: '1' };
    const said = await run(['run', 'all', '--until-drained'], subset);
    expect(said.code).toBe(0);
    expect(said.stderr).toContain('3 rows wait: ServiceBus:Subscriptions leaves out their types (Payments)');
    // Consumers are there, one a core, for the types that are listed; of the others no row was even claimed.
    const status = JSON.parse((await run(['status', '--json'], subset)).stdout) as {
      typesLeftOut: string[];
      drained: boolean;
      rows: { status: string; count: number }[];
    };
    expect(status).toMatchObject({ typesLeftOut: ['Payments'], drained: true });
    expect(status.rows.every((row) => row.status === 'New')).toBe(true);
    expect((await run(['status'], subset)).stdout).toContain('ServiceBus:Subscriptions leaves out');
  });
});
