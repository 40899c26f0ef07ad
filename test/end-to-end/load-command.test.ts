import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { operatorIdentity } from '../../src/adapters/system/operator-identity';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { datapump, demandBuilt, expectGolden, normalized, type Said } from '../support/command-line';
import { MAPPING, OperatorWorld } from '../support/operator-world';
import { WHOLE_RUN_MS } from '../support/until';

jest.setTimeout(WHOLE_RUN_MS);
beforeAll(demandBuilt);

/** As a Czech bank's program writes it: windows-1250, semicolons, a decimal comma, blanks in thousands. */
const EXPORT = [
  'sep=;',
  'Číslo;Firma;Účet;Jméno;Částka;Měna;Datum;Směr;',
  '1;AB;000123;"Novák; Jiří";1\u00a0245,20;CZK;01.11.2026;D;',
  '2;AB;000124;Šťastný;5\u00a0000;JPY;31.12.2026;D;',
  '3;YZ;000125;Dvořák;0,125;KWD;01.11.2026;D;',
  '4;YZ;000126;Kůň;1,00;CZK;01.11.2026;K;',
  '5;YZ;000127;Řeřicha;1,005;CZK;31.02.2026;D;',
  '6;YZ;000128;Čáp;1,00;usd;01.11.2999;D;',
  ';;;;;;;;',
  '',
].join('\r\n');
const WINDOWS_1250 = 'ŠšŤťŽžřŘůČčÁáéíýňěĎďÚúŇ\u00a0';
const BYTES = [0x8a, 0x9a, 0x8d, 0x9d, 0x8e, 0x9e, 0xf8, 0xd8, 0xf9, 0xc8, 0xe8, 0xc1, 0xe1, 0xe9, 0xed, 0xfd, 0xf2, 0xec, 0xcf, 0xef, 0xda, 0xfa, 0xd2, 0xa0]; // prettier-ignore

const BANK_MAPPING = {
  delimiter: ';',
  encoding: 'windows-1250',
  decimalSeparator: ',',
  thousandsSeparator: ' ',
  dateFormat: 'DD.MM.YYYY',
  timeZone: 'Europe/Prague',
  direction: { column: 'Směr', payment: ['D'], passOver: ['K'] },
  fields: {
    ...MAPPING.fields,
    externalReference: { column: 'Číslo' },
    billerId: { column: 'Firma' },
    billerName: { template: 'Firma {Firma}' },
    customerReference: { column: 'Účet' },
    accountNumber: { column: 'Účet' },
    customerName: { column: 'Jméno' },
    amount: { column: 'Částka' },
    currency: { column: 'Měna' },
    invoiceType: { constant: 'household' },
    paidAt: { column: 'Datum' },
  },
};

describe('datapump load (issue 8, no 20)', () => {
  let world: OperatorWorld;
  const run = (...words: string[]): Promise<Said> => datapump(words, { folder: world.folder });
  const golden = async (name: string, code: number, ...words: string[]): Promise<void> => {
    const said = await run(...words);
    expectGolden(name, normalized(`$ datapump ${words.join(' ')}\n${said.stdout}${said.stderr === '' ? '' : `--- stderr\n${said.stderr}`}--- exit ${said.code}\n`, world.folder)); // prettier-ignore
    expect(said.code).toBe(code);
  };
  const LOAD = ['load', '--file', 'orders.csv', '--mapping', 'orders.mapping.json'];
  const bank = (): readonly string[] => {
    const bytes = Buffer.from([...EXPORT].map((each) => (each.charCodeAt(0) < 128 ? each.charCodeAt(0) : BYTES[WINDOWS_1250.indexOf(each)]!))); // prettier-ignore
    world.write('bank.csv', bytes);
    world.write('bank.mapping.json', BANK_MAPPING);
    return ['load', '--file', 'bank.csv', '--mapping', 'bank.mapping.json'];
  };
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.dispose());

  it("takes a bank's own export, says what it would do, then does it, and tells a scheduler", async () => {
    const load = bank();
    await golden('load-bank-dry-run', 0, ...load, '--dry-run');
    expect(existsSync(join(world.folder, 'data'))).toBe(false);
    await golden('load-bank', 1, ...load, '--json', '--fail-on-rejected', '--rejects', 'rejects.csv');
    const rejects = join(world.folder, 'rejects.csv');
    expect(readFileSync(rejects, 'utf8').split('\n')).toEqual([
      'line,reason',
      expect.stringMatching(
        /^7,"amount is ""1,005"", expected at most 2 decimals, as CZK has; paidAt is ""31\.02\.2026"", which is in no calendar"$/,
      ),
      expect.stringMatching(
        /^8,"currency is ""usd"", .*paidAt is ""01\.11\.2999"", expected a date from 1970 to 2099"$/,
      ),
      '',
    ]);
    expect(statSync(rejects).mode & 0o777).toBe(0o600);
    await golden('load-bank-prove', 0, 'prove');
    await golden('record-explain-yen', 0, 'record', 'explain', 'AB:bank.2');
  });

  it('exits 0 with --fail-on-rejected where every line was loaded or passed over', async () => {
    expect((await run(...LOAD, '--fail-on-rejected')).code).toBe(0);
  });

  it('corrects customers by order alone, and only looks in a dry run', async () => {
    await run(...LOAD);
    world.write('orders.mapping.json', { fields: { ...MAPPING.fields, accountNumber: { template: '9{account}' } } });
    expect((await run(...LOAD, '--fail-on-rejected')).code).toBe(1);
    await golden('load-correct-dry-run', 0, ...LOAD, '--correct-customers', '--dry-run');
    await golden('load-correct', 0, ...LOAD, '--correct-customers', '--reason', 'letter of the bank', '--by', 'CEO');
    const shard = new Database(join(world.folder, 'data', 'shards', 'Shard-1.sqlite'), { readonly: true });
    const kept = shard.prepare('SELECT DISTINCT OrderedBy, Reason FROM CustomerCorrection').all();
    shard.close();
    const [system] = operatorIdentity(process.env).split(' ');
    expect(kept).toEqual([{ OrderedBy: `${system} (says: CEO)`, Reason: 'letter of the bank' }]);
    expect(JSON.parse((await run(...LOAD, '--correct-customers', '--reason', 'again', '--json')).stdout)).toMatchObject(
      { corrected: 0, known: 3, conflicts: 0, rejected: [] },
    );
  });

  it('status tells rows that are due in 2999, and they are no work to wait for (issue 8, no 17)', async () => {
    await run(...LOAD);
    const shard = new Database(join(world.folder, 'data', 'shards', 'Shard-1.sqlite'));
    shard.exec(`UPDATE datapump SET DueAt = '2999-01-01T00:00:00.000Z'`);
    shard.close();
    await golden('status-never-due', 0, 'status');
    await golden('bad-input/as-of-implausible', 2, 'record', 'explain', 'AB:bank.1', '--as-of', '2999-01-01T00:00:00Z');
  });

  it('tells every problem of its flags and its mapping at once, before anything is opened', async () => {
    world.write('bank.mapping.json', {
      ...BANK_MAPPING,
      encoding: 'cp852',
      dateFormat: 'dd.mm.yyyy',
      timeZone: 'Prague',
      thousandsSeparator: ',',
      fields: { ...BANK_MAPPING.fields, currency: { constant: 'Kč' } },
    });
    await golden(
      'bad-input/load-formats',
      2,
      'load',
      '--file',
      'none.csv',
      '--mapping',
      'bank.mapping.json',
      '--correct-customers',
    );
    mkdirSync(join(world.folder, 'rejects'));
    await golden('bad-input/load-rejects', 2, ...LOAD, '--rejects', 'rejects');
    await golden('bad-input/load-reason', 2, ...LOAD, '--reason', 'x');
    world.write('orders.csv', Buffer.from('\ufefforder;biller', 'utf16le'));
    await golden('bad-input/load-encoding', 2, ...LOAD);
    expect(existsSync(join(world.folder, 'data'))).toBe(false);
  });
});
