import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileBillerProfiles } from '../../src/adapters/biller-profiles/file-biller-profiles';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { problemText, validateProfileDocument } from '../../src/adapters/biller-profiles/validate-profile-document';
import { SqliteEventStore } from '../../src/adapters/sqlite/sqlite-event-store';
import { sha256Digest } from '../../src/adapters/system/sha256-digest';
import { SystemChance } from '../../src/adapters/system/system-chance';
import { SystemClock } from '../../src/adapters/system/system-clock';
import { type Telemetry } from '../../src/application/ports/telemetry';
import { billerId, billerProfileStream } from '../../src/domain/identifiers';
import { LOOPBACK_RULES, template } from '../support/biller-fixtures';

const NAME = 'json-oauth2-keys-and-inquiry';
const BILLER = billerId('12');
const document = (overrides: Record<string, unknown> = {}): Record<string, unknown> =>
  instantiateTemplate(template(NAME), { billerId: '12', baseUrl: 'https://api.example', overrides });
const problemsOf = (value: unknown): string[] => {
  const verdict = validateProfileDocument(value, '12.json', LOOPBACK_RULES);
  return 'problems' in verdict ? verdict.problems.map(problemText) : [];
};

describe('a profile document', () => {
  it('becomes a profile, with the documented defaults', () => {
    const { RetrySchedule, Breaker, Tenant, Rollout, ...least } = document();
    void [RetrySchedule, Breaker, Tenant, Rollout];
    const verdict = validateProfileDocument(least, '12.json', LOOPBACK_RULES);
    expect(verdict).toMatchObject({
      profile: {
        billerId: '12',
        tenant: '12',
        rollout: 'live',
        timeoutMs: 10_000,
        quarantineMs: 30_000,
        capability: { inquiry: { lagMs: 0 }, keys: { retentionMs: 86_400_000, marginMs: 300_000 } },
        retry: { kind: 'fixed', waitsMs: [1_000, 3_000, 5_000, 7_000], maxAgeMs: 86_400_000 },
        breaker: { failuresToOpen: 8, openMs: 5_000 },
        limits: { concurrency: 16, perSecond: 200 },
        constraints: { skipNocs: true },
      },
    });
  });

  it('has a version that does not depend on layout or key order', () => {
    const version = (value: unknown): unknown =>
      (validateProfileDocument(value, 'x', LOOPBACK_RULES) as { profile: { version: string } }).profile.version;
    const turned = Object.fromEntries(Object.entries(document()).reverse());
    expect(version(turned)).toBe(version(document()));
    expect(version(document())).toMatch(/^[0-9a-f]{16}$/);
    expect(version(document({ Timeout: '9s' }))).not.toBe(version(document()));
  });

  it('tells all its problems at once, each with its place and what was expected', () => {
    const payment = { ...(document()['Requests'] as { Payment: object }).Payment };
    const { Quarantine, ...without } = document({
      Timeout: '10 seconds',
      Mod: 'Realtime',
      Limits: { Concurrency: 0 },
      Authentication: { Kind: 'OAuth2ClientCredentials', ClientIdSecret: 'a' },
      Requests: { Payment: { ...payment, Method: 'GET' } },
    });
    void Quarantine;
    expect(problemsOf(without).sort()).toEqual([
      '12.json /Authentication/ClientSecretSecret: is missing',
      '12.json /Limits/Concurrency: must be >= 1',
      '12.json /Mod: is not a key of a biller profile here',
      '12.json /Quarantine: is missing',
      '12.json /Requests/Payment/Method: one of POST, PUT, PATCH was expected',
      '12.json /Timeout: a duration such as "10s", "5m" or "24h" was expected',
    ]);
  });

  it('tells what a schema cannot say', () => {
    const requests = document()['Requests'] as Record<string, object>;
    const problems = problemsOf(
      document({
        BaseUrl: 'http://metadata.internal/v1',
        Authentication: { Kind: 'OAuth2ClientCredentials', ClientIdSecret: 'a', ClientSecretSecret: 'b' },
        Requests: {
          Payment: { ...requests['Payment'], Body: '{ "a": record. }' },
          Paperless: { ...requests['Paperless'], Body: '{ "at": $now() }' },
          AutoPay: { ...requests['AutoPay'], Format: 'xml', Path: '/a/{record' },
        },
        Answers: [{ Status: 200, When: 'body.(', Outcome: 'declined' }],
        Idempotency: { Header: 'K', Retention: '1m' },
        Windows: [{ Days: ['Mon'], From: '06:00', To: '22:00', TimeZone: 'Europe/Atlantis' }],
      }),
    );
    const places = [
      '/BaseUrl',
      '/Authentication/TokenUrl',
      '/Requests/Payment/Body',
      '/Requests/Paperless/Body',
      '/Requests/AutoPay/RootElement',
      '/Requests/AutoPay/Path',
      '/Requests/ACHRejects',
      '/Answers/0/When',
      '/Answers',
      '/Idempotency/Retention',
      '/Windows/0/TimeZone',
    ];
    for (const place of places) expect(problems).toContainEqual(expect.stringContaining(`12.json ${place}: `));
    expect(problems).toHaveLength(places.length);
    expect(problems.join('\n')).toMatch(/at character/);
  });

  it.each([undefined, null, [], 'text', 7])('is not %p', (value) => expect(problemsOf(value)).not.toEqual([]));
  it('refuses a redirect as an answer', () =>
    expect(problemsOf(document({ Answers: [{ Status: 302, Outcome: 'accepted' }] }))).not.toEqual([]));
});

describe('FileBillerProfiles', () => {
  let folder: string;
  let eventStore: SqliteEventStore;
  let warnings: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'profiles-'));
    eventStore = new SqliteEventStore({ path: join(folder, 'events.sqlite'), synchronous: 'OFF' });
    warnings = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const telemetry = {
    warn: (_message: string, fields: { problems: string }) => void warnings.push(fields.problems),
  } as unknown as Telemetry;
  const open = (): FileBillerProfiles =>
    new FileBillerProfiles({
      ...LOOPBACK_RULES,
      folder,
      eventStore,
      clock: new SystemClock(),
      chance: new SystemChance(),
      by: 'test',
      refreshMs: 0,
      telemetry,
    });
  const write = (name: string, content: unknown): void =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  const registered = async (): Promise<unknown[]> =>
    (await eventStore.readStream(billerProfileStream(BILLER))).map(
      (event) => (event.data as { version: string }).version,
    );

  it('1, 2, 3: yields the newest, keeps every version, and registers each once before handing it out', async () => {
    write('12.json', document());
    const profiles = open();
    const first = (await profiles.current(BILLER))!;
    expect(await registered()).toEqual([first.version]);
    write('12.json', document({ Timeout: '1500ms' }));
    const second = (await profiles.current(BILLER))!;
    expect(second.timeoutMs).toBe(1_500);
    rmSync(join(folder, '12.json'));
    expect(await profiles.current(BILLER)).toBeUndefined();
    expect(await open().version(BILLER, first.version)).toEqual(first);
    expect(await open().version(BILLER, 'unknown' as never)).toBeUndefined();
    write('12.json', document());
    expect((await open().current(BILLER))!.version).toBe(first.version);
    expect(await registered()).toEqual([first.version, second.version]);
  });

  it('3: processes that start together register one version once', async () => {
    write('12.json', document());
    await Promise.all([open(), open(), open(), open()].map((profiles) => profiles.all()));
    expect(await registered()).toHaveLength(1);
  });

  it('1: keeps the last valid profile where a file became invalid, also after a restart, and warns', async () => {
    write('12.json', document());
    const profiles = open();
    const valid = await profiles.current(BILLER);
    write('12.json', document({ Timeout: 'soon', Extra: 1 }));
    expect(await profiles.current(BILLER)).toEqual(valid);
    expect(await open().current(BILLER)).toEqual(valid);
    expect(warnings[0]).toContain('12.json /Timeout: ');
    expect((await profiles.problems()).map((problem) => problem.path).sort()).toEqual(['/Extra', '/Timeout']);
  });

  it('reports the problems of all files and two files of one biller', async () => {
    write('a.json', document());
    write('b.json', document({ Timeout: '1s' }));
    write('c.json', '{ not json');
    write('d.json', { BillerID: '13' });
    const problems = (await open().problems()).map(problemText);
    expect(problems).toContain('b.json /BillerID: another file describes biller 12 already: a.json');
    expect(problems.some((text) => text.startsWith('c.json /: JSON was expected'))).toBe(true);
    expect(problems.filter((text) => text.startsWith('d.json')).length).toBeGreaterThan(5);
  });

  it('says which folder cannot be read', async () => {
    const profiles = new FileBillerProfiles({
      ...LOOPBACK_RULES,
      digest: sha256Digest,
      folder: join(folder, 'nowhere'),
      eventStore,
      clock: new SystemClock(),
      chance: new SystemChance(),
      by: 'test',
    });
    await expect(profiles.all()).rejects.toMatchObject({
      code: 'profile-missing',
      message: expect.stringContaining('nowhere'),
    });
  });
});
