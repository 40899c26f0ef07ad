import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { PortFailure } from '../../src/application/ports/failures';
import { sealHistory } from '../../src/application/history/seal-history';
import { runCommandLine } from '../../src/bootstrap/command-line/program';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { createContainer } from '../../src/bootstrap/container/create-container';
import { sealKeysOf } from '../../src/bootstrap/container/seal-keys';
import { TOKENS } from '../../src/bootstrap/container/tokens';
import { dpId, type RecordKey } from '../../src/domain/identifiers';
import { OperatorWorld } from '../support/operator-world';
import { WHOLE_RUN_MS } from '../support/until';

/** The other suites of this worker find their files from here. */
const CALLED_FROM = process.cwd();

jest.setTimeout(WHOLE_RUN_MS);

const LINES = 150;
const FILES = [
  'event-store.sqlite',
  'shards/Shard-1.sqlite',
  'bus.sqlite',
  'record-projection.1.sqlite',
  'seals/seals-000000.jsonl',
] as const;
const COMMANDS: readonly (readonly string[])[] = [
  ['record', 'explain', 'AB:bank.1'],
  ['record', 'explain', 'AB:bank.2', '--json'],
  ['in-doubt', 'list'],
  ['deadletter', 'list'],
  ['status'],
  ['prove'],
  ['history', 'verify'],
];

let world: OperatorWorld;
let sound: string;
const trials = mkdtempSync(join(tmpdir(), 'damaged-'));

beforeAll(async () => {
  world = new OperatorWorld();
  const csv = ['order,biller,account,amount,category'];
  for (let order = 1; order <= LINES; order++)
    csv.push(`${order},${order % 3 === 0 ? 'YZ' : 'AB'},${100_000 + order},${order}.50,household`);
  world.write('orders.csv', `${csv.join('\n')}\n`);
  process.chdir(world.folder);
  await said(['load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json', '--shards', '1']);
  await world.holdAndGiveUp();
  await world.inside(async (container) => {
    const seal = sealHistory(
      {
        eventStore: container.get(TOKENS.eventStore),
        eventLog: container.get(TOKENS.eventLog),
        witnesses: container.getAll(TOKENS.sealWitnesses).flatMap((each) => each()),
        cryptography: await sealKeysOf(container),
        clock: container.get(TOKENS.clock),
        telemetry: container.get(TOKENS.telemetry),
      },
      { by: 'test', sealsPerPassMax: 10 },
    );
    await seal();
  });
  await said(['prove']);
  sound = join(world.folder, 'data');
  for (const file of FILES.filter((each) => each.endsWith('.sqlite'))) {
    const database = new Database(join(sound, file));
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
  }
});
afterAll(() => {
  process.chdir(CALLED_FROM);
  world.dispose();
  rmSync(trials, { recursive: true, force: true });
});

interface Heard {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

/** Runs a command in this process and hears what it says. */
async function said(words: readonly string[], folder?: string): Promise<Heard> {
  let [out, errors] = ['', ''];
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true)),
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => ((errors += String(text)), true)),
  ];
  process.exitCode = 0;
  try {
    const argv = [...(folder === undefined ? [] : ['--data', folder]), ...words];
    await runCommandLine(['node', 'datapump', '--config', join(world.folder, 'datapump.config.json'), ...argv]);
    return { code: Number(process.exitCode), out, errors };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0;
  }
}

let state = 20_261_120;
/** The same numbers in each run: what fails can be repeated. */
const random = (below: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state % below;
};

let copies = 0;
function damagedCopy(file: string, damage: (path: string) => void): string {
  const folder = join(trials, String(copies++));
  cpSync(sound, folder, { recursive: true });
  damage(join(folder, file));
  return folder;
}

function flip(path: string, places: number, from = 0): void {
  const bytes = readFileSync(path);
  for (let place = 0; place < places; place++) {
    const at = from + random(bytes.length - from);
    bytes[at] = bytes[at]! ^ (1 << random(8));
  }
  overwrite(path, bytes);
}

function overwrite(path: string, bytes: Buffer): void {
  const file = openSync(path, 'w');
  writeSync(file, bytes);
  closeSync(file);
}

/** Said in words of ours: with a file and what to do about it; never what the language throws by itself. */
function expectToldWell({ errors, out }: Heard, about: string): void {
  const whole = `${about}\n${out}${errors}`;
  const told = errors.split('\n').filter((line) => line.startsWith('datapump: '));
  for (const line of told)
    expect(`${whole}\n>>> ${line}`).toMatch(
      />>> datapump: (PortFailure: .*(restore|delete|move|run the newer|look for|check the disk|name another)|no record|one problem|\d+ problems)/,
    );
  expect(whole).not.toMatch(/^datapump: (TypeError|SyntaxError|RangeError|SqliteError|InvariantViolation)/m);
  expect(whole).not.toMatch(/\bundefined\b|\[object Object\]|NaN/);
}

describe.each(FILES)('%s with damaged bytes (issue 8, no 16)', (file) => {
  it.each([
    ['single bits anywhere', 14, (path: string) => flip(path, 3)],
    ['many bits behind the first page', 8, (path: string) => flip(path, 400, 4_096)],
    ['a page of noise', 5, (path: string) => noise(path)],
    ['a page of zeros', 5, (path: string) => noise(path, 0)],
    [
      'its end cut off',
      3,
      (path: string) => overwrite(path, readFileSync(path).subarray(0, random(statSync(path).size))),
    ],
  ])('%s: every command names the file and the remedy', async (_, times, damage) => {
    for (let time = 0; time < times; time++) {
      const folder = damagedCopy(file, damage);
      for (const words of COMMANDS)
        expectToldWell(await said(words, folder), `${words.join(' ')} of ${folder}, time ${time}`);
      await expectLoadsOrDamage(folder);
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function noise(path: string, fill?: number): void {
  const bytes = readFileSync(path);
  const pages = Math.max(1, Math.floor(bytes.length / 4_096));
  const from = pages === 1 ? 0 : 4_096 * (1 + random(pages - 1));
  for (let at = from; at < Math.min(bytes.length, from + 4_096); at++) bytes[at] = fill ?? random(256);
  overwrite(path, bytes);
}

/** What a consumer reads before it decides: it has it, or a failure that a service knows how to take. */
async function expectLoadsOrDamage(folder: string): Promise<void> {
  await insideOf(folder, async (container) => {
    for (const key of ['AB:bank.1', 'AB:bank.2', 'YZ:bank.3'] as RecordKey[]) {
      const reads = [
        async () => container.get(TOKENS.history).record(key),
        async () => container.get(TOKENS.history).attempt(key, 1),
        async () =>
          container
            .get(TOKENS.shards)
            .all()[0]!
            .findRow(dpId(key.split(':')[1]!)),
        async () =>
          container
            .get(TOKENS.shards)
            .all()[0]!
            .rowsByStatus({ statuses: ['New'], max: 500 }),
      ];
      for (const read of reads) {
        const failure: unknown = await read().then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(failure).toBeInstanceOf(PortFailure);
      }
    }
  });
}

async function insideOf<T>(
  folder: string,
  work: (container: ReturnType<typeof createContainer>) => Promise<T>,
): Promise<T> {
  const loaded = loadSettings({
    environment: {},
    file: join(world.folder, 'datapump.config.json'),
    overrides: { 'Data:Folder': folder },
  });
  if ('problems' in loaded) throw new Error('settings');
  const container = createContainer({ ...loaded.settings, 'Log:Level': 'fatal' }, 'test');
  try {
    return await work(container);
  } finally {
    await container.get(TOKENS.lifecycle).close();
  }
}

describe('one damaged record (issue 8, no 16)', () => {
  const below = (folder: string, file: string, text: string): void => {
    const database = new Database(join(folder, file));
    database.exec(text);
    database.close();
  };

  it('in the event store is named by prove, each time, and stops no other', async () => {
    const folder = damagedCopy('event-store.sqlite', () => undefined);
    below(folder, 'event-store.sqlite', `UPDATE event SET data = '{"billerId":' WHERE type = 'DpRecordDeadLettered'`);
    for (const file of readdirSync(folder).filter((each) => each.startsWith('record-projection')))
      rmSync(join(folder, file));
    for (let time = 0; time < 2; time++) {
      const totals = await said(['prove'], folder);
      expect(totals.code).toBe(1);
      expect(totals.out).toMatch(
        /could not be read \(1\):\n.*event-store\.sqlite, table event, event 2 of stream dpRecord-AB:bank\.2 \(position \d+\) is damaged \(its data are no JSON\): restore it from a backup, then run: datapump history verify/,
      );
    }
    const told = await said(['record', 'explain', 'AB:bank.2'], folder);
    expect([told.code, told.out]).toEqual([
      1,
      expect.stringMatching(
        /found in Shard-1[^]*event 2 of stream[^]*no step is decided on it|no step is decided on it[^]*event 2 of stream/,
      ),
    ]);
    expect(await said(['record', 'explain', 'AB:bank.1'], folder)).toMatchObject({ code: 0 });
    expect((await said(['history', 'verify'], folder)).out).toMatch(/changed +dpRecord-AB:bank\.2@2 /);
    below(
      folder,
      'event-store.sqlite',
      `UPDATE event SET data = '{"reason":"AttemptsUsedUp","description":"","attempt":1}' WHERE type = 'DpRecordDeadLettered'`,
    );
    expect((await said(['prove'], folder)).out).not.toContain('could not be read');
  });

  it('in a shard is named by the lists, which show the others', async () => {
    const folder = damagedCopy('shards/Shard-1.sqlite', () => undefined);
    below(
      folder,
      'shards/Shard-1.sqlite',
      `UPDATE datapump SET Status = 'InDoubt' WHERE DpId IN ('bank.4', 'bank.5'); UPDATE Payment SET AmountMinor = 'much' WHERE PaymentId IN (SELECT PaymentId FROM datapump WHERE DpId = 'bank.4')`,
    );
    const list = await said(['in-doubt', 'list'], folder);
    expect(list).toMatchObject({
      code: 1,
      out: expect.stringMatching(
        /AB:bank\.1 [^]*AB:bank\.5 [^]*could not be read \(1\):\n.*Shard-1\.sqlite, table datapump, row bank\.4 is damaged \(column AmountMinor\)/,
      ),
    });
    below(folder, 'shards/Shard-1.sqlite', `UPDATE datapump SET Status = 'Publishes' WHERE DpId = 'bank.7'`);
    const totals = await said(['prove'], folder);
    expect([totals.code, totals.out]).toEqual([
      1,
      expect.stringContaining(
        'shard Shard-1: 1 rows have an id, a biller, a type or a status that is none (table datapump), and nothing works on them: Seq 7',
      ),
    ]);
  });

  it('a shard that cannot be opened is told, and the others are shown', async () => {
    const folder = damagedCopy('shards/Shard-1.sqlite', (path) => {
      cpSync(path, path.replace('Shard-1', 'Shard-2'));
      overwrite(path, readFileSync(path).fill(7, 100));
    });
    for (const words of [['status'], ['prove']]) {
      const heard = await said(words, folder);
      expect([heard.code, heard.out]).toEqual([
        1,
        expect.stringMatching(/AB[^]*could not be read[^]*shard Shard-1: .*Shard-1\.sqlite is damaged/),
      ]);
    }
  });

  it('a damaged page of the bus file keeps its messages and no other from their subscription', async () => {
    const folder = damagedCopy('bus.sqlite', () => undefined);
    const inside = <T>(work: (container: ReturnType<typeof createContainer>) => Promise<T>) => insideOf(folder, work);
    const source = { topic: 'datapump-events', subscription: 'payments' };
    await inside(async (container) => {
      for (let batch = 0; batch < 3; batch++)
        await container.get(TOKENS.bus).send(
          source.topic,
          Array.from({ length: 100 }, (_, place) => ({
            messageId: `m${batch * 100 + place}`,
            body: { filler: 'x'.repeat(200) },
            correlationId: 'AB',
            properties: { eventType: 'Payments', billerId: 'AB' },
          })),
        );
    });
    const database = new Database(join(folder, 'bus.sqlite'));
    database.pragma('wal_checkpoint(TRUNCATE)');
    const pages = database
      .prepare(`SELECT pageno FROM dbstat WHERE name = 'message' AND pagetype = 'leaf' ORDER BY path`)
      .pluck()
      .all() as number[];
    database.close();
    const bytes = readFileSync(join(folder, 'bus.sqlite'));
    bytes.fill(0xa5, (pages[3]! - 1) * 4_096, pages[3]! * 4_096);
    overwrite(join(folder, 'bus.sqlite'), bytes);
    const got = await inside(async (container) => {
      const receiver = container.get(TOKENS.bus).receiver(source);
      const ids: string[] = [];
      let failures = 0;
      for (let empty = 0; empty < 2;) {
        // The first receive that meets the page fails, and the next one goes round it.
        const messages = await receiver.receive({ max: 40, waitMs: 50 }).catch(() => undefined);
        if (messages === undefined) {
          expect(++failures).toBeLessThan(3);
          continue;
        }
        empty = messages.length === 0 ? empty + 1 : 0;
        for (const message of messages) {
          ids.push(message.messageId);
          // Taking one out may touch the page beside it: it comes back when its lock lapses, and the history decides.
          await receiver
            .complete(message)
            .catch((error: unknown) => expect(error).toMatchObject({ code: 'storage-damaged' }));
        }
      }
      await receiver.close();
      return ids;
    });
    expect(new Set(got).size).toBe(got.length);
    expect(got.length).toBeGreaterThan(250);
    expect(got.length).toBeLessThan(300);
  });

  it('leaves the copies where they were', () => {
    expect(existsSync(sound) && readdirSync(trials).length).toBeGreaterThan(0);
  });
});
