import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileBillerProfiles } from '../../src/adapters/biller-profiles/file-biller-profiles';
import { problemText } from '../../src/adapters/biller-profiles/validate-profile-document';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { billerId } from '../../src/domain/identifiers';
import { LOOPBACK_RULES, template } from '../support/biller-fixtures';

/** As the former system wrote it: ids are numbers, null is no constraint. */
const LEGACY = `[
  {
    "BillerID": 139,
    "NameTemplate": "{DBA} [Sapiens Coresuite]",
    "Vendor": "SapiensCore",
    "IntegrationClass": "DataPump.Integrations.Software.SapiensCoresuite.SapiensCoresuiteIntegration",
    "Mode": "Standard",
    "Actions": [ "Payment", "Paperless", "AutoPay", "ACHRejects" ],
    "Constraints": {
      "AllowedInvoiceTypes": null,
      "SkipNOCs": true
    }
  }
]`;
const FORMER = ['NameTemplate', 'Vendor', 'IntegrationClass', 'Mode', 'Actions', 'Constraints'];
/** The new keys alone, as an overlay has them. */
const overlay = (): Record<string, unknown> => {
  const document = { ...template('json-oauth2-keys-and-inquiry'), BaseUrl: 'https://api.example' };
  return Object.fromEntries(
    Object.entries(document).filter(([key]) => ![...FORMER, 'BillerID', 'Description'].includes(key)),
  );
};

describe('biller files of the former system (issue 8, no 19)', () => {
  let folder: string;
  let eventStore: SqliteEventStore;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'legacy-'));
    eventStore = new SqliteEventStore({ path: ':memory:' });
  });
  afterEach(async () => {
    await eventStore.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const write = (name: string, content: unknown): void =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  const open = () =>
    new FileBillerProfiles({
      ...LOOPBACK_RULES, folder, eventStore, clock: new SystemClock(), chance: new SystemChance(), by: 'test', refreshMs: 0,
    }); // prettier-ignore
  const problemsOf = async (): Promise<string[]> => (await open().problems()).map(problemText);

  it('are read as they are: a biller without an integration is known, not deliverable, and hurts no other', async () => {
    write('legacy-billers.json', LEGACY);
    write('12.json', {
      ...overlay(),
      BillerID: '12',
      NameTemplate: 'x',
      Vendor: 'x',
      IntegrationClass: 'x',
      Mode: 'x',
      Actions: ['Payment'],
    });
    const profiles = open();
    expect(await profiles.problems()).toEqual([]);
    expect((await profiles.all()).map((profile) => profile.billerId)).toEqual(['12']);
    expect(await profiles.current(billerId('139'))).toBeUndefined();
    expect((await profiles.undeliverable()).map((biller) => biller.billerId)).toEqual(['139']);
  });

  it.each([
    ['an overlay named after the biller', '139.json', (keys: object) => keys],
    ['an overlay that names the biller by a number', 'sapiens.json', (keys: object) => ({ BillerID: 139, ...keys })],
    ['an overlay that names it by text', 'a.json', (keys: object) => ({ BillerID: '139', ...keys })],
    ['overlays in a list', 'z.json', (keys: object) => [{ BillerID: 139, ...keys }]],
  ])('are completed by %s', async (_, name, of) => {
    write('legacy-billers.json', LEGACY);
    write(name, of(overlay()));
    const profiles = open();
    expect(await profiles.problems()).toEqual([]);
    expect(await profiles.current(billerId('139'))).toMatchObject({
      billerId: '139',
      tenant: '139',
      vendor: 'SapiensCore',
      constraints: { allowedInvoiceTypes: undefined, skipNocs: true },
    });
    expect(await profiles.undeliverable()).toEqual([]);
  });

  it('have the new keys beside the former ones, many billers in one file', async () => {
    const [legacy] = JSON.parse(LEGACY) as [object];
    write('billers.json', [
      { ...legacy, ...overlay() },
      { ...legacy, ...overlay(), BillerID: 140 },
      { ...legacy, BillerID: 141 },
    ]);
    const profiles = open();
    expect(await profiles.problems()).toEqual([]);
    expect((await profiles.all()).map((profile) => profile.billerId)).toEqual(['139', '140']);
  });

  it('keep every digit of an id beyond 2^53', async () => {
    write('a.json', LEGACY.replace('139', '9007199254740993'));
    write('9007199254740993.json', overlay());
    expect((await open().all()).map((profile) => profile.billerId)).toEqual(['9007199254740993']);
  });

  it.each(['1.5', '-0.5', '1e30', 'true', 'null', '{}', '""'])('refuse the id %s', async (id) => {
    write('a.json', LEGACY.replace('139', id));
    expect((await problemsOf()).length).toBeGreaterThan(0);
    expect(await open().all()).toEqual([]);
  });

  it('name both places where a key is defined twice, and mix nothing of the second in', async () => {
    write('139.json', overlay());
    write('also.json', { BillerID: 139, Timeout: '9s', Windows: [] });
    write('legacy-billers.json', LEGACY);
    const profiles = open();
    expect((await profiles.problems()).map(problemText)).toEqual([
      'also.json /Timeout: one definition was expected: 139.json defines Timeout of biller 139 already',
    ]);
    expect((await profiles.current(billerId('139')))!.document).not.toHaveProperty('Windows');
    write('also.json', [{ BillerID: 139, Vendor: 'Other' }]);
    expect(await problemsOf()).toEqual([
      'legacy-billers.json /0/Vendor: one definition was expected: also.json/0 defines Vendor of biller 139 already',
    ]);
  });

  it('name the file that says what is wrong', async () => {
    write('legacy-billers.json', LEGACY.replace('"Standard"', '7'));
    write('139.json', { ...overlay(), Quarantine: '0s' });
    expect(await problemsOf()).toEqual(['legacy-billers.json /0/Mode: must be string']);
    write('legacy-billers.json', LEGACY);
    expect(await problemsOf()).toEqual([expect.stringContaining('139.json /Quarantine: a duration from 1s')]);
    const { Timeout, ...without } = overlay();
    void Timeout;
    write('139.json', without);
    expect(await problemsOf()).toEqual(['139.json /Timeout: is missing']);
  });

  it('refuse what is no biller in a list, and go on with the others', async () => {
    const [legacy] = JSON.parse(LEGACY) as [object];
    write('billers.json', [7, { ...legacy, ...overlay() }, { Vendor: 'x' }]);
    const profiles = open();
    expect((await profiles.problems()).map(problemText)).toEqual([
      'billers.json /0: an object was expected',
      expect.stringContaining('billers.json /2/BillerID: is missing'),
    ]);
    expect((await profiles.all()).map((profile) => profile.billerId)).toEqual(['139']);
  });

  it('take a long IntegrationClass, and a file larger than a single profile may be', async () => {
    const [legacy] = JSON.parse(LEGACY) as [object];
    const many = Array.from({ length: 600 }, (_, index) => ({
      ...legacy,
      BillerID: 1_000 + index,
      IntegrationClass: 'A.'.repeat(240),
    }));
    write('billers.json', many);
    const profiles = open();
    expect(await profiles.problems()).toEqual([]);
    expect(await profiles.undeliverable()).toHaveLength(600);
  });

  it('an overlay that vanishes leaves a biller that is known and not delivered to', async () => {
    write('legacy-billers.json', LEGACY);
    write('139.json', overlay());
    const profiles = open();
    expect(await profiles.current(billerId('139'))).toBeDefined();
    rmSync(join(folder, '139.json'));
    expect(await profiles.current(billerId('139'))).toBeUndefined();
    expect(await profiles.undeliverable()).toHaveLength(1);
  });

  it('an overlay that breaks keeps the last valid profile, also after a restart', async () => {
    write('legacy-billers.json', LEGACY);
    write('139.json', overlay());
    const profiles = open();
    const valid = await profiles.current(billerId('139'));
    write('139.json', { ...overlay(), Timeout: 'soon' });
    expect(await profiles.current(billerId('139'))).toEqual(valid);
    expect(await open().current(billerId('139'))).toEqual(valid);
    write('139.json', '{ "Timeout": ');
    expect(await profiles.current(billerId('139'))).toEqual(valid);
  });
});
