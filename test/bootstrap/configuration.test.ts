import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockOutlivesTimeouts } from '../../src/bootstrap/configuration/cross-checks';
import { type Settings } from '../../src/bootstrap/configuration/declarations';
import { loadSettings, readDeclared } from '../../src/bootstrap/configuration/load-settings';
import { text } from '../../src/bootstrap/configuration/setting-kinds';
import { problemLine } from '../../src/bootstrap/configuration/setting-problem';
import { settingsDocument } from '../../src/bootstrap/configuration/settings-document';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(content: unknown, name = 'datapump.config.json'): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function settings(sources: Partial<Parameters<typeof loadSettings>[0]> = {}): Settings {
  const loaded = loadSettings({ environment: {}, ...sources });
  if ('problems' in loaded) throw new Error(loaded.problems.map(problemLine).join('\n'));
  return loaded.settings;
}

function problems(sources: Partial<Parameters<typeof loadSettings>[0]>): readonly string[] {
  const loaded = loadSettings({ environment: {}, ...sources });
  return 'problems' in loaded ? loaded.problems.map(problemLine) : [];
}

describe('settings', () => {
  it('have the defaults of the architecture document', () => {
    expect(settings()).toMatchObject({
      'Scanner:SleepSeconds': 5,
      'Scanner:MaxChunkSize': 1000,
      'Fetcher:MaxConcurrentBillers': 12,
      'Fetcher:BatchSize': 1000,
      'ServiceBus:TopicName': 'datapump-events',
      'ServiceBus:Subscriptions': {
        Payments: 'payments',
        Paperless: 'paperless',
        AutoPay: 'autopay',
        ACHRejects: 'achrejects',
      },
      'Environment:Name': 'development',
    });
  });

  it('come from the file over the default, the environment over the file, an override over all', () => {
    const path = file({ Scanner: { SleepSeconds: 6, MaxChunkSize: 600, ConcurrentShards: 7 } });
    const loaded = settings({
      file: path,
      environment: { Scanner__MaxChunkSize: '700', Scanner__ConcurrentShards: '8' },
      overrides: { 'Scanner:ConcurrentShards': 9 },
    });
    expect(loaded['Scanner:SleepSeconds']).toBe(6);
    expect(loaded['Scanner:MaxChunkSize']).toBe(700);
    expect(loaded['Scanner:ConcurrentShards']).toBe(9);
    expect(loaded['Scanner:ClaimRowsMax']).toBe(5000);
  });

  it('read YAML, and an empty file as no settings', () => {
    expect(settings({ file: file('Scanner:\n  SleepSeconds: 9\n', 'a.yaml') })['Scanner:SleepSeconds']).toBe(9);
    expect(settings({ file: file('', 'b.yaml') })['Scanner:SleepSeconds']).toBe(5);
  });

  it('report every problem at once, with key, found value, expectation and source', () => {
    const path = file({ Scanner: { SleepSeconds: 'often', MaxChunkSiz: 5 }, Fetchr: {}, Log: { Level: 'loud' } });
    expect(
      problems({ file: path, environment: { Bus__LockSeconds: '-1', Bus__LockSecond: '5', OTHER__THING: 'x' } }),
    ).toEqual([
      `Scanner:MaxChunkSiz: expected a known setting; did you mean Scanner:MaxChunkSize? (${path})`,
      `Fetchr: expected a known section; did you mean Fetcher? (${path})`,
      'Bus:LockSecond: expected a known setting; did you mean Bus__LockSeconds? (environment variable Bus__LockSecond)',
      `Log:Level: found "loud", expected one of trace, debug, info, warn, error, fatal (${path})`,
      `Scanner:SleepSeconds: found "often", expected a whole number from 1 to 3600 (${path})`,
      'Bus:LockSeconds: found "-1", expected a whole number from 5 to 300 (environment variable Bus__LockSeconds)',
    ]);
  });

  it('report a file that is missing, broken or no map', () => {
    expect(problems({ file: join(folder, 'none.json') })).toEqual([
      expect.stringMatching(
        /^configuration: expected a readable JSON file: there is no such file \(ENOENT\).*none\.json\)$/,
      ),
    ]);
    expect(problems({ file: file('{"a":') })).toEqual([
      expect.stringMatching(/^configuration: expected a readable JSON file: /),
    ]);
    expect(problems({ file: file('a: [', 'c.yaml') })).toEqual([
      expect.stringMatching(/^configuration: expected a readable YAML file: /),
    ]);
    expect(problems({ file: file([1]) })).toEqual([
      expect.stringMatching(/^configuration: found \[1\], expected sections/),
    ]);
    expect(problems({ file: file({ Scanner: 5 }) })).toEqual([
      expect.stringMatching(/^Scanner: found 5, expected a section/),
    ]);
  });

  it.each([
    [
      { Scanner__MaxChunkSize: '900', Scanner__ClaimRowsMax: '800' },
      /^Scanner:MaxChunkSize: found 900, expected at most Scanner:ClaimRowsMax \(800\)/,
    ],
    [{ Sweep__AfterMinutes: '1' }, /^Sweep:AfterMinutes: found 1, expected longer than Bus:LockSeconds \(60 s\)/],
    [
      { Consumer__PermitWaitSeconds: '55' },
      /^Consumer:PermitWaitSeconds: found 55, expected shorter than Bus:LockSeconds/,
    ],
    [
      { Environment__Name: 'production', Billers__AllowPlainLoopback: 'true' },
      /^Billers:AllowPlainLoopback: found true, expected false/,
    ],
    [{ Auth__Authority: 'http://auth.example.com' }, /^Auth:Authority: found "http:.*, expected https/],
    [{ Auth__Authority: 'http://127.0.0.1:8080' }, /^Auth:Authority: found "http:.*, expected https/],
    [
      { Auth__Authority: 'http://127.evil.example', Billers__AllowPlainLoopback: 'true' },
      /^Auth:Authority: found "http:.*, expected https/,
    ],
  ])('refuse what contradicts: %j', (environment, expected) => {
    expect(problems({ environment })).toEqual([expect.stringMatching(expected)]);
  });

  it('allow a plain loopback authority where loopback is allowed, without a trailing slash', () => {
    const environment = { Auth__Authority: 'http://127.0.0.1:8080/', Billers__AllowPlainLoopback: 'true' };
    expect(settings({ environment })['Auth:Authority']).toBe('http://127.0.0.1:8080');
  });

  it('read lists as words or JSON from the environment and as lists from a file', () => {
    expect(settings({ environment: { Shards__Names: 'Shard-1, Shard-2' } })['Shards:Names']).toEqual([
      'Shard-1',
      'Shard-2',
    ]);
    expect(settings({ environment: { Shards__Names: '["Shard-1"]' } })['Shards:Names']).toEqual(['Shard-1']);
    expect(settings({ file: file({ Shards: { Names: ['Shard-3'] } }) })['Shards:Names']).toEqual(['Shard-3']);
    expect(problems({ environment: { Shards__Names: 'a,a' } })).toHaveLength(1);
  });

  it('read the subscriptions as a map, a part of one, or a list of any of the four (issue 8, no 19)', () => {
    const read = (value: unknown) =>
      settings({ file: file({ ServiceBus: { Subscriptions: value } }) })['ServiceBus:Subscriptions'];
    expect(read({ Payments: 'pay' })).toEqual({
      Payments: 'pay',
      Paperless: 'paperless',
      AutoPay: 'autopay',
      ACHRejects: 'achrejects',
    });
    expect(read(['Paperless', 'Payments', 'achRejects', 'autopay'])).toEqual({
      Payments: 'Payments',
      Paperless: 'Paperless',
      AutoPay: 'autopay',
      ACHRejects: 'achRejects',
    });
    expect(read(['payments', 'paperless'])).toEqual({ Payments: 'payments', Paperless: 'paperless' });
    expect(
      settings({ environment: { ServiceBus__Subscriptions: 'payments, paperless' } })['ServiceBus:Subscriptions'],
    ).toEqual({
      Payments: 'payments',
      Paperless: 'paperless',
    });
    expect(read('ACHRejects')).toEqual({ ACHRejects: 'ACHRejects' });
    for (const wrong of [
      [],
      ['payments', 'Payments'],
      ['payment'],
      ['payments', 7],
      { Payment: 'x' },
      { Payments: 'paperless' },
      'payment',
      7,
    ])
      expect(() => read(wrong)).toThrow('ServiceBus:Subscriptions');
  });

  it('never show what a secret holds', () => {
    const declared = {
      'Bus:Key': { kind: text('four digits', /^\d{4}$/), default: '0000', sentence: 'A key.', secret: true as const },
    };
    const read = readDeclared(declared, { environment: { Bus__Key: 'hunter2' } });
    expect(read.problems.map(problemLine)).toEqual([
      'Bus:Key: found <hidden>, expected four digits (environment variable Bus__Key)',
    ]);
  });

  it('stand in docs/SETTINGS.md as declared', () => {
    expect(readFileSync(join(__dirname, '../../docs/SETTINGS.md'), 'utf8')).toBe(settingsDocument());
  });
});

describe('lockOutlivesTimeouts', () => {
  it('names each biller whose call could outlive the lock, and no other', () => {
    const billers = [
      { billerId: '12', timeoutMs: 49_999 },
      { billerId: '13', timeoutMs: 50_000 },
    ];
    expect(lockOutlivesTimeouts({ lockSeconds: 60, permitWaitSeconds: 5, billers })).toEqual([
      'biller 13: Timeout 50000 ms, expected less than 50000 ms (Bus:LockSeconds 60 s less Consumer:PermitWaitSeconds 5 s and a margin of 5 s)',
    ]);
  });
});
