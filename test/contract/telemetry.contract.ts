import { BILLERS_MAX, OTHER_BILLERS } from '../../src/application/ports/metrics-catalogue';
import { type Fields, type Instruments } from '../../src/application/ports/telemetry';

/** What became visible outside. */
export interface SeenTelemetry {
  readonly telemetry: Instruments;
  /** Each line as a monitor reads it. */
  lines(): readonly Readonly<Record<string, unknown>>[];
  /** The sums of one counter as a monitor reads them. */
  sums(
    series: string,
  ): Promise<readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]>;
  close(): Promise<void>;
}

const CARD = '4111 1111 1111 1111';

/** The laws of Telemetry and Instruments. */
export function telemetryContract(name: string, open: () => SeenTelemetry): void {
  describe(`Telemetry: ${name}`, () => {
    let seen: SeenTelemetry;
    beforeEach(() => (seen = open()));
    afterEach(() => seen.close());

    it('1: nothing that is told throws, whatever it is', () => {
      const strange = { rows: Number.NaN, why: undefined, cause: '\u0000' } as const;
      expect(() => {
        seen.telemetry.info('x', strange);
        seen.telemetry.warn('', strange);
        seen.telemetry.error('x', { toString: null }, strange);
        seen.telemetry.count('retries', Number.NaN, { data_type: 'Payments', biller: '1' });
        seen.telemetry.count('no-such' as 'retries', 1);
        seen.telemetry.measure('biller.call.seconds', -1, { data_type: 'Payments', biller: '1' });
      }).not.toThrow();
    });

    it('2: a field that is not on the list is told by its name alone', () => {
      seen.telemetry.info('hello', { rows: 3, accountNumber: 'A-17' } as Fields);
      expect(seen.lines()).toMatchObject([{ msg: 'hello', rows: 3, unlisted: 'accountNumber' }]);
      expect(JSON.stringify(seen.lines())).not.toContain('A-17');
    });

    it('3: a line of a record says its biller, its id and its trace', () => {
      seen.telemetry.warn('one', { record: '12:100' });
      seen.telemetry.warn('again', { record: '12:100', attempt: 2 });
      seen.telemetry.warn('another', { record: '12:101' });
      const [one, again, another] = seen.lines();
      expect(one).toMatchObject({ billerId: '12', dpId: '100', traceId: expect.stringMatching(/^[0-9a-f]{32}$/) });
      expect(again).toMatchObject({ traceId: one!['traceId'], attempt: 2 });
      expect(another!['traceId']).not.toBe(one!['traceId']);
    });

    it('4: the lines of a child carry what it was given, unless they say otherwise', () => {
      const child = seen.telemetry.child({ stage: 'deliver', shard: 'A' });
      child.info('one');
      child.child({ kind: 'k' }).info('two', { shard: 'B' });
      seen.telemetry.info('three');
      expect(seen.lines()).toMatchObject([
        { stage: 'deliver', shard: 'A' },
        { stage: 'deliver', shard: 'B', kind: 'k' },
        {},
      ]);
      expect(seen.lines()[2]).not.toHaveProperty('stage');
    });

    it('5: counts add up per name and labels, also those of a child; what is not declared is dropped', async () => {
      const labels = { data_type: 'Payments', biller: '1' } as const;
      seen.telemetry.count('retries', 2, labels);
      seen.telemetry.child({ stage: 'x' }).count('retries', 1, labels);
      seen.telemetry.count('retries', 5, { ...labels, biller: '2' });
      seen.telemetry.count('retries', 5, { ...labels, data_type: 'Oranges' });
      seen.telemetry.count('retries', 5, { data_type: 'Payments' } as typeof labels);
      seen.telemetry.count('retries', 5, { ...labels, account: '7' } as typeof labels);
      expect(await seen.sums('datapump_retries_total')).toEqual([
        { labels, value: 3 },
        { labels: { ...labels, biller: '2' }, value: 5 },
      ]);
    });

    it('6: billers above the limit are added up', async () => {
      const labels = (biller: number) => ({ data_type: 'Payments', biller: `b${biller}` });
      for (let biller = 0; biller < BILLERS_MAX + 50; biller++) seen.telemetry.count('retries', 1, labels(biller));
      const sums = await seen.sums('datapump_retries_total');
      expect(sums).toHaveLength(BILLERS_MAX + 1);
      expect(sums.find(({ labels: { biller } }) => biller === OTHER_BILLERS)?.value).toBe(50);
    });

    it('7: no card number gets into a line', () => {
      seen.telemetry.info(`paid by ${CARD}`, { why: CARD });
      seen.telemetry.error('failed', new Error(`said ${CARD}`, { cause: new Error(CARD) }), { reason: CARD });
      seen.telemetry.child({ reason: CARD }).warn('x');
      expect(seen.lines()).toHaveLength(3);
      expect(JSON.stringify(seen.lines())).not.toContain('1111 1111');
    });
  });
}
