import { type ManifestBiller, type ManifestRecord, SqliteManifest } from '../../src/adapters/sqlite/sqlite-manifest';
import { billerId, recordKey, dpId, shardName } from '../../src/domain/identifiers';
import { instantFromMs } from '../../src/domain/instant';

const BILLER = billerId('12');
const record = (id: string, more: Partial<ManifestRecord> = {}): ManifestRecord => ({
  record: recordKey(BILLER, dpId(id)),
  billerId: BILLER,
  dataType: 'Payments',
  end: 'delivered',
  amount: { minorUnits: 5, currency: 'EUR' },
  ...more,
});
const biller = (id: string, more: Partial<ManifestBiller> = {}): ManifestBiller => ({
  billerId: billerId(id),
  name: `The ${id}`,
  template: 'json',
  shard: shardName('Shard-1'),
  keys: true,
  inquiry: false,
  ...more,
});

describe('the demo’s own book (issue 9, no 16)', () => {
  let manifest: SqliteManifest;
  beforeEach(() => {
    manifest = new SqliteManifest({ path: ':memory:' });
  });
  afterEach(() => manifest.close());

  it('keeps a word under its name, the newest', () => {
    expect(manifest.state('seed')).toBeUndefined();
    manifest.setState('seed', '1');
    manifest.setState('records', '2');
    manifest.setState('seed', '3');
    expect([manifest.state('seed'), manifest.state('records')]).toEqual(['3', '2']);
  });

  it('gives billers back as they were added, in the order of their ids, the first word of each', () => {
    const billers = [biller('b', { keys: false, inquiry: true }), biller('a'), biller('c', { inquiry: true })];
    manifest.addBillers(billers);
    manifest.addBillers([biller('a', { name: 'another' })]);
    expect(manifest.billers()).toEqual([billers[1], billers[0], billers[2]]);
  });

  it('gives records back as they were added, page by page, and keeps the first word of each', () => {
    const records = [
      record('2', { end: 'declined' }),
      record('1', { amount: undefined, dataType: 'Paperless' }),
      record('3', { amount: { minorUnits: 0, currency: 'JPY' } }),
    ];
    manifest.addRecords(records);
    manifest.addRecords([record('2', { end: 'rejected' })]);
    const sorted = [records[1], records[0], records[2]];
    expect(manifest.records(undefined, 10)).toEqual(sorted);
    expect(manifest.records(undefined, 2)).toEqual(sorted.slice(0, 2));
    expect(manifest.records(sorted[0]!.record, 1)).toEqual([sorted[1]]);
    expect(manifest.records(sorted[2]!.record, 10)).toEqual([]);
  });

  it('keeps kills in their order, and forgets children', () => {
    const kills = [2, 1].map((ms) => ({
      process: `p${ms}`,
      from: instantFromMs(ms),
      to: instantFromMs(ms + 1),
      cause: 'chaos' as const,
    }));
    for (const kill of kills) manifest.addKill(kill);
    expect(manifest.kills()).toEqual(kills);
    manifest.addChild({ name: 'one', pid: 1, startTicks: '7' });
    manifest.addChild({ name: 'again', pid: 1, startTicks: '8' });
    manifest.addChild({ name: 'two', pid: 2, startTicks: '9' });
    expect(manifest.children()).toEqual([
      { name: 'again', pid: 1, startTicks: '8' },
      { name: 'two', pid: 2, startTicks: '9' },
    ]);
    manifest.forgetChildren();
    expect(manifest.children()).toEqual([]);
  });
});
