import fc from 'fast-check';
import { Admission } from '../../src/adapters/biller-http/admission';
import { Backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, BillerTrouble } from '../../src/adapters/biller-http/backoff';
import { Breaker } from '../../src/adapters/biller-http/breaker';
import { PROBE_WAIT_MIN_MS } from '../../src/adapters/biller-http/probe';
import { retryAfterMs, waitAskedMs } from '../../src/adapters/biller-http/retry-after';
import { type Clock } from '../../src/application/ports/clock';
import { type Permit } from '../../src/application/ports/biller-gateway';
import { instantFromMs } from '../../src/domain/instant';
import { RETRY_AFTER_MAX_MS } from '../../src/domain/policies/delivery-outcome';
import { profileOf } from '../support/biller-fixtures';
import { recordedTelemetry } from '../support/recorded-telemetry';

/** Time that moves when the test moves it. */
class ManualClock implements Clock {
  ms = 1_000_000;
  now = () => instantFromMs(this.ms);
  monotonicMs = () => this.ms;
  sleep = (): Promise<void> => new Promise(() => undefined);
}

const HOURS_24_MS = 24 * 3_600_000;

function world(fraction = 0.5) {
  const clock = new ManualClock();
  const { telemetry, lines } = recordedTelemetry();
  let counted = 0;
  const ports = {
    clock,
    chance: { uuid: () => 'x', fraction: () => fraction },
    telemetry: { ...telemetry, count: () => void counted++ },
  };
  return { clock, lines, ports, counted: () => counted };
}

describe('a biller that throttles, or has no token for us, is left alone longer and longer (issue 8, no 9)', () => {
  const admissionOf = (under: ReturnType<typeof world>): Admission =>
    new Admission(
      profileOf('json-basic-neither', 'http://127.0.0.1:1', { Limits: { Concurrency: 50 } }),
      { take: () => Promise.reject(new Error('no rate is asked for')) },
      under.clock,
      new BillerTrouble(under.ports, '12'),
    );

  it('200 records throttled for 24 hours: one call a minute, a handful of lines', async () => {
    const under = world();
    const admission = admissionOf(under);
    const dueAt = Array.from({ length: 200 }, () => under.clock.ms);
    const endsAt = under.clock.ms + HOURS_24_MS;
    let calls = 0;
    let looks = 0;
    while (under.clock.ms < endsAt) {
      under.clock.ms = Math.min(...dueAt);
      for (const [record, due] of dueAt.entries()) {
        if (due > under.clock.ms) continue;
        looks++;
        const permit = await admission.permit(undefined, { waitMs: 0 });
        if (!permit.granted) dueAt[record] = under.clock.ms + permit.retryAfterMs;
        else {
          calls++;
          const outcome = admission.note({ kind: 'throttled', retryAfterMs: 0 });
          permit.release();
          dueAt[record] = under.clock.ms + (outcome.kind === 'throttled' ? outcome.retryAfterMs : 0);
        }
      }
    }
    expect(calls).toBeLessThan((2 * HOURS_24_MS) / BACKOFF_MAX_MS + 20);
    expect(calls).toBeGreaterThan(HOURS_24_MS / BACKOFF_MAX_MS - 20);
    expect(looks / 200).toBeLessThan((3 * HOURS_24_MS) / BACKOFF_MAX_MS);
    expect(under.lines).toHaveLength(2);
    admission.note({ kind: 'accepted', httpStatus: 200, billerReference: undefined });
    expect(under.lines).toHaveLength(2);
    under.clock.ms += BACKOFF_MAX_MS;
    admission.note({ kind: 'accepted', httpStatus: 200, billerReference: undefined });
    expect(under.lines).toHaveLength(3);
    expect(under.lines[2]).toMatch(/over: biller asks to slow down/);
  });

  it('fifty calls under way at once are one round, and the longest wait that was asked for holds', () => {
    const under = world();
    const admission = admissionOf(under);
    admission.note({ kind: 'throttled', retryAfterMs: 0 });
    const waits = Array.from({ length: 49 }, () => admission.note({ kind: 'throttled', retryAfterMs: 0 }));
    expect(new Set(waits.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
    expect(admission.note({ kind: 'throttled', retryAfterMs: 120_000 })).toEqual({
      kind: 'throttled',
      retryAfterMs: 120_000,
    });
    expect(admission.note({ kind: 'throttled', retryAfterMs: 1 })).toEqual({
      kind: 'throttled',
      retryAfterMs: 120_000,
    });
    expect(under.lines).toHaveLength(1);
  });

  it('a probe that is given back without a call leaves its place to the next, and what says nothing ends nothing', async () => {
    const under = world();
    const admission = admissionOf(under);
    const ask = (): Promise<Permit> => admission.permit(undefined, { waitMs: 0 });
    admission.note({ kind: 'throttled', retryAfterMs: 0 });
    admission.note({ kind: 'throttled', retryAfterMs: 0 });
    under.clock.ms += BACKOFF_FIRST_MS;
    const probe = await ask();
    expect((await ask()).granted).toBe(false);
    if (probe.granted) probe.release();
    const next = await ask();
    expect(next.granted).toBe(true);
    admission.note({ kind: 'unknown', code: 'timed-out' });
    admission.note({ kind: 'not-executed', code: 'connection-refused' });
    admission.note({ kind: 'not-sent', lateByMs: 1 });
    expect(await ask()).toMatchObject({ granted: false, cause: 'throttled' });
    if (next.granted) next.release();
  });

  it('a wait is never shorter than asked, longer than its bound or, where nothing was asked or it fails again, shorter than half its round', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.oneof(fc.constant(0), fc.integer({ min: -1_000, max: 10 ** 12 })),
            fc.double({ min: 0, max: 0.999, noNaN: true }),
          ),
          { maxLength: 30 },
        ),
        (rounds) => {
          const under = world();
          let fraction = 0;
          const backoff = new Backoff(
            { ...under.ports, chance: { uuid: () => 'x', fraction: () => fraction } },
            { biller: '1', trouble: 't', counter: 'biller.throttled', failuresToShut: 1 },
          );
          for (const [round, [asked, chance]] of rounds.entries()) {
            fraction = chance;
            const wait = backoff.failed('x', asked);
            const bounded = Math.min(Math.max(0, asked), RETRY_AFTER_MAX_MS);
            const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** round);
            const takenAtItsWord = round === 0 && bounded > 0;
            expect(wait).toBeGreaterThanOrEqual(takenAtItsWord ? bounded : Math.max(full / 2, bounded));
            expect(wait).toBeLessThanOrEqual(takenAtItsWord ? bounded : Math.max(full, bounded));
            under.clock.ms += wait;
          }
        },
      ),
    );
  });

  it('one throttled call among calls that work stops no other record, a second one in a row does', async () => {
    const under = world();
    const admission = admissionOf(under);
    const ask = (): Promise<Permit> => admission.permit(undefined, { waitMs: 0 });
    for (let n = 0; n < 3; n++) {
      expect(admission.note({ kind: 'throttled', retryAfterMs: 5_000 })).toEqual({
        kind: 'throttled',
        retryAfterMs: 5_000,
      });
      expect((await ask()).granted).toBe(true);
      admission.note({ kind: 'accepted', httpStatus: 200, billerReference: undefined });
    }
    expect(under.lines).toHaveLength(0);
    admission.note({ kind: 'throttled', retryAfterMs: 5_000 });
    admission.note({ kind: 'unknown', code: 'timed-out' });
    admission.note({ kind: 'throttled', retryAfterMs: 5_000 });
    expect(await ask()).toEqual({ granted: false, cause: 'throttled', retryAfterMs: 5_000 });
    expect(under.counted()).toBe(5);
  });

  it('who comes while the probe is under way waits as long again as it has taken, and goes on once it has worked', async () => {
    const under = world();
    const admission = admissionOf(under);
    const ask = (): Promise<Permit> => admission.permit(undefined, { waitMs: 0 });
    admission.note({ kind: 'throttled', retryAfterMs: 1_000 });
    admission.note({ kind: 'throttled', retryAfterMs: 1_000 });
    expect(await ask()).toEqual({ granted: false, cause: 'throttled', retryAfterMs: 1_000 });
    under.clock.ms += 1_000;
    const probe = await ask();
    const waits: number[] = [];
    for (let ended = under.clock.ms + 10_000; under.clock.ms < ended; under.clock.ms += waits.at(-1)!) {
      const permit = await ask();
      waits.push(permit.granted ? NaN : permit.retryAfterMs);
    }
    expect(waits).toEqual([PROBE_WAIT_MIN_MS, 250, 500, 1_000, 2_000, 4_000, 8_000]);
    admission.note({ kind: 'accepted', httpStatus: 200, billerReference: undefined });
    if (probe.granted) probe.release();
    expect((await ask()).granted).toBe(true);
  });

  it('a change of reason is told, a repetition is counted', () => {
    const under = world();
    const backoff = new Backoff(under.ports, {
      biller: '1',
      trouble: 'no credential for biller',
      counter: 'biller.throttled',
      failuresToShut: 1,
    });
    for (const reason of ['unavailable', 'unavailable', 'token-refused', 'token-refused'])
      under.clock.ms += backoff.failed(reason);
    expect(under.lines).toHaveLength(2);
    expect(under.counted()).toBe(4);
  });
});

describe('what Retry-After asks for (issue 8, no 9)', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');
  it.each<[string | undefined, number | undefined]>([
    ['120', 120_000],
    ['007', 7_000],
    [' 5 ', 5_000],
    ['5, 10', 10_000],
    ['Sat, 21 Nov 2026 12:00:08 GMT', 8_000],
    ['Saturday, 21-Nov-26 12:00:08 GMT', 8_000],
    ['Sat Nov 21 12:00:08 2026', 8_000],
    ['5, Sat, 21 Nov 2026 12:00:08 GMT', 8_000],
    ['99999999999999999999', Number.MAX_SAFE_INTEGER],
    ['Tue, 01 Jan 2999 00:00:00 GMT', Date.parse('2999-01-01T00:00:00Z') - now],
    [undefined, undefined],
    ['', undefined],
    ['0', undefined],
    ['-1', undefined],
    ['+5', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['5s', undefined],
    ['5 minutes', undefined],
    ['soon', undefined],
    ['2026-11-21T12:00:08Z', undefined],
    ['Thu, 01 Jan 1970 00:00:10 GMT', undefined],
    ['Sat, 99 Nov 2026 12:00:08 GMT', undefined],
    ['٥', undefined],
    ['5'.repeat(10_000), undefined],
    [`${' '.repeat(5_000)}x`, undefined],
  ])('%j', (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });

  it.each([
    ['Sat, 21 Nov 2026 08:00:00 GMT', 90_000],
    ['Saturday, 21-Nov-26 08:00:00 GMT', 90_000],
    ['Sat Nov 21 08:00:00 2026', 90_000],
    ['soon', 30_000],
    ['2026-11-21T08:00:00Z', 30_000],
    [undefined, 30_000],
  ])('counts a date from what the answer says the time is: %j', (date, expected) => {
    const headers = { 'retry-after': 'Sat, 21 Nov 2026 08:01:30 GMT', ...(date !== undefined && { date }) };
    expect(waitAskedMs(headers, Date.parse('2026-11-21T08:01:00Z'))).toBe(expected);
  });

  it('counts seconds from now, whatever the answer says the time is', () => {
    const headers = { 'retry-after': '7', date: 'Sat, 21 Nov 2026 08:00:00 GMT' };
    expect(waitAskedMs(headers, Date.parse('2026-11-21T09:00:00Z'))).toBe(7_000);
  });
});

describe('the breaker', () => {
  it('opens after failures in a row only, lets stragglers say nothing, and goes by the monotonic clock', () => {
    const clock = new ManualClock();
    const breaker = new Breaker(clock, { failuresToOpen: 3, openMs: 100 });
    for (const failed of [true, true, false, true, true]) breaker.note(failed);
    expect(breaker.isShut()).toBe(false);
    breaker.note(true);
    expect(breaker.remainingMs()).toBe(100);
    breaker.note(false);
    expect(breaker.isShut()).toBe(true);
    clock.ms += 100;
    breaker.note(true);
    expect(breaker.remainingMs()).toBe(100);
    clock.ms += 100;
    breaker.note(false);
    expect(breaker.isShut()).toBe(false);
  });
});
