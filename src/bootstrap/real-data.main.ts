import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readPaymentMapping } from '../adapters/csv/read-payment-mapping';
import { LedgerBooks } from '../adapters/sandbox-biller/ledger-books';
import { type Lines, printer } from '../adapters/command-line/printer';
import { tableLines } from '../adapters/command-line/table';
import { type ControlTotals, tallyText } from '../application/queries/control-totals';
import { moneyText } from '../domain/money';
import { sandboxConfigurationOf, secretsOf } from './demo/demo-billers';
import { type DemoPlan } from './demo/demo-plan';
import { bankBillers } from './real-data/bank-billers';
import { datapump, startSandbox } from './real-data/child-processes';
import { compareWithLedger, type ExpectedOrder, expectedOrders } from './real-data/expected-orders';

const ROOT = resolve(__dirname, '..', '..');
const FILE = resolve(ROOT, '..', 'shared', 'data', 'payment-orders.csv');
const MAPPING = join(ROOT, 'examples', 'payment-orders.mapping.json');
const SHARDS = 4;

const say = (...lines: Lines): void => printer.print(lines);

/**
 * Delivers real payment orders through the command line, as an operator would, to a sandbox with faults, and compares
 * what came of each with the file, the shards, the event store and the sandbox's ledger.
 */
async function deliverPaymentOrders(): Promise<number> {
  if (!existsSync(FILE)) {
    say(`not run: ${FILE} is not there`);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'datapump-real-data-'));
  const mapping = readPaymentMapping(readFileSync(MAPPING, 'utf8'));
  if ('problems' in mapping) throw new Error(mapping.problems.join('\n'));
  const expected = await expectedOrders(FILE, mapping.mapping);
  const banks = [...new Set(expected.map(({ biller }) => biller))].sort();
  const ledgerFile = join(folder, 'sandbox-ledger.sqlite');
  const sandbox = await startSandbox(sandboxFile(folder, banks, ledgerFile));
  try {
    const environment = environmentFor(folder, banks, sandbox.port);
    for (const turn of ['first', 'again']) {
      const load = await datapump(
        environment,
        'load',
        '--file',
        FILE,
        '--mapping',
        MAPPING,
        '--shards',
        String(SHARDS),
      );
      say(...`load (${turn}): ${load.stdout}`.trimEnd().split('\n'));
      if (load.code !== 0) return fail(folder, [`load ended with ${load.code}`]);
    }
    const startedAt = performance.now();
    const run = await datapump(environment, 'run', 'all', '--until-drained');
    if (run.code !== 0) return fail(folder, [`run all ended with ${run.code}`]);
    const seconds = (performance.now() - startedAt) / 1_000;
    say(
      `run all --until-drained: ${expected.length} orders in ${seconds.toFixed(1)} s, ${Math.round(expected.length / seconds)} records/s with faults`,
    );
    const totals = await datapump(environment, 'prove', '--json');
    const books = new LedgerBooks(ledgerFile);
    const faults = [
      ...(totals.code === 0 ? [] : [`prove ended with ${totals.code}`]),
      ...compareWithLedger(expected, books),
    ];
    say(
      `faults that fired: ${Object.entries(books.faults())
        .map(([kind, count]) => `${kind} ${count}`)
        .join(', ')}`,
    );
    books.close();
    faults.push(...showTotals(JSON.parse(totals.stdout) as ControlTotals, expected, banks));
    const explained = await datapump(environment, 'record', 'explain', expected[0]!.record);
    say('', ...explained.stdout.trimEnd().split('\n'));
    if (explained.code !== 0) faults.push(`record explain ended with ${explained.code}`);
    if (faults.length > 0) return fail(folder, faults);
  } finally {
    await sandbox.stop();
  }
  rmSync(folder, { recursive: true });
  say('', `every valid order was delivered once: ${expected.length} of ${expected.length}`);
  return 0;
}

function sandboxFile(folder: string, banks: readonly string[], ledgerFile: string): string {
  const plan = { sandboxPort: 0, seed: 1, faults: true } as DemoPlan;
  const file = join(folder, 'sandbox.json');
  writeFileSync(file, JSON.stringify(sandboxConfigurationOf(plan, bankBillers(banks, 0), ledgerFile)));
  return file;
}

function environmentFor(folder: string, banks: readonly string[], port: number): NodeJS.ProcessEnv {
  const billers = bankBillers(banks, port);
  const profiles = join(folder, 'billers');
  mkdirSync(profiles);
  for (const { billerId, profile } of billers)
    writeFileSync(join(profiles, `${billerId}.json`), JSON.stringify(profile, undefined, 2));
  const secrets = join(folder, 'secrets.json');
  writeFileSync(secrets, JSON.stringify(secretsOf(billers)), { mode: 0o600 });
  return {
    ...process.env,
    Data__Folder: join(folder, 'data'),
    Billers__Folder: profiles,
    Billers__AllowPlainLoopback: 'true',
    Secrets__File: secrets,
    Scanner__SleepSeconds: '1',
    Log__Level: 'error',
  };
}

/** Per bank: what the file holds, and what shards and event store say was delivered. */
function showTotals(
  totals: ControlTotals,
  expected: readonly ExpectedOrder[],
  banks: readonly string[],
): readonly string[] {
  const faults: string[] = [];
  const rows = banks.map((bank) => {
    const orders = expected.filter(({ biller }) => biller === bank);
    const minorUnits = orders.reduce((sum, order) => sum + order.minorUnits, 0);
    const inFile = `${orders.length} (${moneyText({ minorUnits, currency: 'CZK' })})`;
    const delivered = [totals.shards, totals.eventStore].map((lines) => {
      const line = lines.find(({ billerId }) => billerId === bank);
      return line ? tallyText(line.ends.delivered) : 'nothing';
    });
    for (const found of delivered)
      if (found !== inFile) faults.push(`bank ${bank}: delivered ${found}, the file holds ${inFile}`);
    return [bank, inFile, ...delivered];
  });
  const titles = ['biller', 'valid orders in the file', 'delivered: shards', 'delivered: event store'];
  say(
    '',
    ...tableLines(
      titles.map((title) => ({ title })),
      rows,
    ),
  );
  return faults;
}

const FAULTS_SHOWN_MAX = 50;

function fail(folder: string, faults: readonly string[]): number {
  printer.complain([
    ...faults.slice(0, FAULTS_SHOWN_MAX),
    `failed: ${faults.length} faults; the data is kept in ${folder}`,
  ]);
  return 1;
}

deliverPaymentOrders().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    printer.complain(error instanceof Error ? (error.stack ?? error.message).split('\n') : [String(error)]);
    process.exitCode = 1;
  },
);
