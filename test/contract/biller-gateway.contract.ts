import { createServer, type AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { type AnswerSnippets } from '../../src/application/ports/answer-snippets';
import { type BillerGateway } from '../../src/application/ports/biller-gateway';
import { PortFailure, causeChain } from '../../src/application/ports/failures';
import { type BillerProfile } from '../../src/domain/biller/biller-profile';
import { billerId, recordKey } from '../../src/domain/identifiers';
import { type Money } from '../../src/domain/money';
import { type CallOutcome, type UnclearAnswer } from '../../src/domain/policies/delivery-outcome';
import { paymentRow, profileOf, storedProfileOf } from '../support/biller-fixtures';
import { type HeldClock } from '../support/held-clock';
import { accepted, json, type Reaction, type ScriptedBiller, startScriptedBiller } from '../support/scripted-biller';
import { ENDED_WITHIN_MS } from '../support/until';

export interface GatewayUnderTest {
  readonly gateway: BillerGateway;
  readonly clock: HeldClock;
  readonly snippets: AnswerSnippets;
  /** The biller shows this and speaks https; undefined: it speaks http. */
  readonly biller?: { readonly certificate: Buffer; readonly key: Buffer };
  close(): Promise<void>;
}

const OAUTH = 'json-oauth2-keys-and-inquiry';
const BASIC = 'json-basic-neither';
const API_KEY = 'json-api-key-inquiry';

const unclear = (httpStatus: number, more: Partial<UnclearAnswer> = {}): UnclearAnswer => ({
  httpStatus,
  byRule: false,
  wellFormed: true,
  contentType: 'application/json',
  snippet: expect.any(String) as string,
  ...more,
});
/** No exchange that is answered takes so long, on however slow a machine: it ends at its answer. */
const AMPLE_MS = 20_000;
/** Without the caller's deadline the asking for a token ends after 5 s, at the token client's own. */
const BEFORE_TOKEN_LIMIT_MS = 4_000;
/** So many that they outlast the starts of the threads that the expressions run in. */
const CALLS_MEANWHILE = 40;
/** By tail calls, so that no guard of depth ends it. */
const RUNAWAY = '($f := function($n){ $n = 0 ? 0 : $f($n - 1) }; $f(1000000000))';

/** The laws of BillerGateway, over real sockets. */
export function billerGatewayContract(name: string, open: () => Promise<GatewayUnderTest>): void {
  describe(`BillerGateway: ${name}`, () => {
    let biller: ScriptedBiller;
    let under: GatewayUnderTest;

    beforeEach(async () => {
      under = await open();
      biller = await startScriptedBiller(under.biller);
    });
    afterEach(async () => {
      await biller.close();
      await under.close();
    });

    const profile = (overrides: Readonly<Record<string, unknown>> = {}, base = BASIC): BillerProfile =>
      profileOf(base, biller.baseUrl, overrides);
    const stored = (overrides: Readonly<Record<string, unknown>>, base = BASIC): BillerProfile =>
      storedProfileOf(base, biller.baseUrl, overrides);
    const prepare = (of: BillerProfile) =>
      under.gateway.prepare({ profile: of, row: paymentRow(), idempotencyKey: 'key-1' });
    const send = async (of: BillerProfile, sendWithinMs = AMPLE_MS): Promise<CallOutcome> =>
      (await prepare(of)).send({ since: under.clock.monotonicMs(), sendWithinMs });
    /** From here on a request leaves at once: its deadline is spent on the answer alone. */
    const connect = async (): Promise<void> => {
      expect(await send(profile())).toMatchObject({ kind: 'accepted' });
      // A connection is used again once the loop has turned.
      for (let turns = 0; turns < 3; turns++) await turn();
      under.clock.hold();
    };
    const outcomeOf = (reaction: Reaction, overrides = {}, base = BASIC): Promise<CallOutcome> => {
      biller.react = reaction;
      return send(profile(overrides, base));
    };
    const inquire = (of: BillerProfile, more: { timeoutMs?: number; amount?: Money; withoutRow?: boolean } = {}) =>
      under.gateway.inquire({
        profile: of,
        record: recordKey(of.billerId, paymentRow().dpId),
        row: more.withoutRow ? undefined : paymentRow(),
        idempotencyKey: 'key-1',
        timeoutMs: more.timeoutMs ?? AMPLE_MS,
        ...(more.amount !== undefined && { amount: more.amount }),
      });

    it('1: prepare gets the token and sends nothing to the business endpoint', async () => {
      await prepare(profile({}, OAUTH));
      expect(biller.received.map((request) => request.url)).toEqual(['/oauth/token']);
    });

    it('1: the same row, profile and key give the same hash, whatever the credential; another row another hash', async () => {
      const first = await prepare(profile({}, OAUTH));
      const again = await prepare(profile({}, OAUTH));
      const other = await under.gateway.prepare({
        profile: profile({}, OAUTH),
        row: paymentRow({ dpId: '101' as never }),
        idempotencyKey: 'key-1',
      });
      expect(again.requestHash).toBe(first.requestHash);
      expect(first.requestHash).toMatch(/^[0-9a-f]{64}$/);
      expect(other.requestHash).not.toBe(first.requestHash);
    });

    it('1: a refused token, a broken token endpoint and an unbuildable body are failures of prepare', async () => {
      biller.token = json(401, { error: 'invalid_client' });
      await expect(prepare(profile({}, OAUTH))).rejects.toMatchObject({ code: 'token-refused' });
      biller.token = json(500, {});
      const another = { ...profile({}, OAUTH), billerId: billerId('13') };
      await expect(prepare(another)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
      const broken = stored({
        Requests: {
          ...(profile().document['Requests'] as object),
          Payment: { Method: 'POST', Path: '/payments', Format: 'json', Body: 'payment.nothing' },
        },
      });
      await expect(prepare(broken)).rejects.toMatchObject({ code: 'request-unbuildable', retryable: false });
      expect(biller.business()).toEqual([]);
    });

    it('2: send puts one request on the wire, with key, credential and body', async () => {
      expect(await send(profile({}, OAUTH))).toEqual({ kind: 'accepted', httpStatus: 200, billerReference: 'R-1' });
      expect(biller.business()).toHaveLength(1);
      const [request] = biller.business();
      expect(request).toMatchObject({
        method: 'POST',
        url: '/payments',
        headers: {
          authorization: 'Bearer token-1',
          'idempotency-key': 'key-1',
          'x-channel': 'datapump',
          'content-type': 'application/json; charset=utf-8',
        },
      });
      expect(JSON.parse(request!.body)).toEqual({
        reference: '12:100',
        account: 'A&1',
        amountMinorUnits: 1234,
        currency: 'EUR',
        invoiceType: 'Premium',
        paidAt: '2026-11-19T10:00:00.000Z',
        customer: 'Ada <Lovelace>',
      });
    });

    it('2: one 401 is answered by one new token and one repetition', async () => {
      biller.react = (response, request, socket) =>
        (request.headers.authorization === 'Bearer token-1' ? json(401, {}) : accepted)(response, request, socket);
      expect(await send(profile({}, OAUTH))).toMatchObject({ kind: 'accepted' });
      expect(biller.business().map((request) => request.headers.authorization)).toEqual([
        'Bearer token-1',
        'Bearer token-2',
      ]);
      expect(biller.business()[0]!.body).toBe(biller.business()[1]!.body);
    });

    it('2: a second 401 ends it as not executed', async () => {
      expect(await outcomeOf(json(401, {}), {}, OAUTH)).toEqual({ kind: 'not-executed', code: 'unauthorized' });
      expect(biller.business()).toHaveLength(2);
    });

    it('2: where the new token comes too late there is no repetition, and the answer keeps the deadline', async () => {
      const call = await prepare(profile({}, OAUTH));
      let askedAtMs = Infinity;
      biller.token = () => void (askedAtMs = performance.now());
      under.clock.hold();
      // Of its time 300 ms are left when the first answer comes, however long that took.
      biller.react = (...request) => {
        under.clock.pass(AMPLE_MS - 300);
        json(401, {})(...request);
      };
      const since = under.clock.monotonicMs();
      expect(await call.send({ since, sendWithinMs: AMPLE_MS })).toEqual({
        kind: 'not-executed',
        code: 'unauthorized',
      });
      expect(performance.now() - askedAtMs).toBeLessThan(BEFORE_TOKEN_LIMIT_MS);
      expect(biller.business()).toHaveLength(1);
    });

    it('2: fifty calls at once fetch one token', async () => {
      await Promise.all(Array.from({ length: 50 }, () => prepare(profile({}, OAUTH))));
      expect(biller.received.filter((request) => request.url === '/oauth/token')).toHaveLength(1);
    });

    it('2: a reset of a reused connection is not repeated', async () => {
      expect(await outcomeOf(accepted)).toMatchObject({ kind: 'accepted' });
      expect(await outcomeOf((_response, _request, socket) => socket.resetAndDestroy())).toEqual({
        kind: 'unknown',
        code: 'reset',
      });
      expect(biller.business()).toHaveLength(2);
    });

    it('3: sends nothing when the time is over', async () => {
      const call = await prepare(profile());
      expect(await call.send({ since: under.clock.monotonicMs() - 1_000, sendWithinMs: 900 })).toEqual({
        kind: 'not-sent',
        lateByMs: expect.any(Number),
      });
      expect(biller.business()).toEqual([]);
    });

    it('3: sends nothing when the process was held up between the call and the connection', async () => {
      const call = await prepare(profile());
      const outcome = call.send({ since: under.clock.monotonicMs(), sendWithinMs: 100 });
      await Promise.resolve();
      const until = Date.now() + 250;
      while (Date.now() < until);
      expect(['not-sent', 'not-executed']).toContain((await outcome).kind);
      await expectSilence();
    });

    it('4: a silent biller is unknown at the deadline', async () => {
      await connect();
      biller.react = () => undefined;
      const began = performance.now();
      expect(await send(profile(), 300)).toEqual({ kind: 'unknown', code: 'timed-out' });
      // Without its deadline it would wait for ever.
      expect(performance.now() - began).toBeLessThan(ENDED_WITHIN_MS);
    });

    it('4: a body that never ends is unknown at the deadline', async () => {
      await connect();
      biller.react = (response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).write('{"status":');
      expect(await send(profile(), 300)).toEqual({ kind: 'unknown', code: 'timed-out' });
    });

    it('4: inquire answers unavailable by its own timeout, also while the token hangs', async () => {
      let askedAtMs = Infinity;
      biller.token = () => void (askedAtMs = performance.now());
      expect(await inquire(profile({}, OAUTH), { timeoutMs: 200 })).toEqual({ answer: 'unavailable' });
      expect(performance.now() - askedAtMs).toBeLessThan(BEFORE_TOKEN_LIMIT_MS);
    });

    it.each<[string, Reaction, CallOutcome]>([
      ['a reset before the answer', (_r, _q, socket) => socket.resetAndDestroy(), { kind: 'unknown', code: 'reset' }],
      [
        'a reset inside the body',
        (response, _q, socket) => {
          response.writeHead(200, { 'content-length': 100 });
          response.write('{"status"', () => socket.resetAndDestroy());
        },
        { kind: 'unknown', code: 'reset' },
      ],
      [
        'an answer that is not HTTP',
        (_r, _q, socket) => void socket.end('SMTP ready\r\n\r\n'),
        { kind: 'unknown', code: 'answer-malformed' },
      ],
      [
        'a broken body',
        (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"acc'),
        { kind: 'unknown', code: 'body-malformed', answer: unclear(200, { wellFormed: false }) },
      ],
      [
        'a 200 in other words',
        json(200, { status: 'queued' }),
        { kind: 'unknown', code: 'http-200', answer: unclear(200) },
      ],
      ['a 500', json(500, { status: 'accepted' }), { kind: 'unknown', code: 'http-500', answer: unclear(500) }],
      ['a 400 without a rule', json(400, { code: 'bad' }), { kind: 'unknown', code: 'http-400', answer: unclear(400) }],
      [
        'a 503 of another kind',
        json(503, { code: 'overload' }),
        { kind: 'unknown', code: 'http-503', answer: unclear(503) },
      ],
    ])('5: %s is unknown', async (_name, reaction, expected) => {
      expect(await outcomeOf(reaction)).toEqual(expected);
      expect(biller.business()).toHaveLength(1);
    });

    it('5: a key conflict is unknown', async () => {
      expect(await outcomeOf(json(409, { code: 'key-in-use' }), {}, OAUTH)).toEqual({
        kind: 'unknown',
        code: 'key-conflict',
        answer: unclear(409),
      });
    });

    it.each<[string, Reaction, CallOutcome]>([
      [
        'a decline',
        json(422, { status: 'declined', code: 'account-closed' }),
        { kind: 'declined', httpStatus: 422, code: 'account-closed' },
      ],
      ['a 429', json(429, {}, { 'retry-after': '7' }), { kind: 'throttled', retryAfterMs: 7_000 }],
      [
        'a 503 that the profile knows',
        json(503, { code: 'maintenance' }),
        { kind: 'not-executed', code: 'maintenance' },
      ],
    ])('5: %s is what the profile says', async (_name, reaction, expected) => {
      expect(await outcomeOf(reaction)).toEqual(expected);
    });

    it('5: a refused connection and an unknown host were not executed', async () => {
      const port = await unusedPort();
      expect(await send(profile({ BaseUrl: `http://127.0.0.1:${port}` }))).toEqual({
        kind: 'not-executed',
        code: 'connection-refused',
      });
      const elsewhere = profile({ BaseUrl: 'https://no-such-host.example' });
      expect(await send(elsewhere)).toMatchObject({
        kind: 'not-executed',
        code: expect.stringMatching(/^(dns-failed|connect-timeout)$/),
      });
    });

    it('6: nothing of a body or secret stands in failures and outcomes', async () => {
      biller.token = json(401, { error_description: 'PRIVATE-TEXT' });
      const refused = { ...profile({}, OAUTH), billerId: billerId('13') };
      const failure = (await prepare(refused).catch((error: unknown) => error)) as PortFailure;
      expect(failure).toBeInstanceOf(PortFailure);
      expect(causeChain(failure) + JSON.stringify(failure.facts)).not.toMatch(/PRIVATE-TEXT|secret-of/);
      expect(JSON.stringify(await outcomeOf(json(400, { note: 'PRIVATE-TEXT', status: 'declined' })))).not.toContain(
        'PRIVATE-TEXT',
      );
      const long = await outcomeOf(json(200, { status: 'accepted', reference: 'x'.repeat(5_000) }));
      expect(long.kind === 'accepted' && long.billerReference!.length).toBe(128);
    });

    it('6: of an answer that settles nothing a masked piece is kept, and its status, media type and name are returned', async () => {
      const body = {
        state: 'QUEUED',
        account: 'A&1',
        holder: 'Ada <Lovelace>',
        card: '4111 1111 1111 1111',
        key: 'secret-of-json-basic-neither-password',
      };
      biller.react = (response) =>
        void response.writeHead(299, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
      const outcome = await send(profile());
      expect(outcome).toEqual({
        kind: 'unknown',
        code: 'http-299',
        answer: unclear(299, { snippet: expect.stringMatching(/^[0-9a-f]{64}$/) }),
      });
      const name = outcome.kind === 'unknown' ? outcome.answer!.snippet! : '';
      const kept = await under.snippets.find(name);
      expect(kept).toContain('"state":"QUEUED"');
      expect(kept).not.toMatch(/A&1|Ada|Lovelace|4111|secret-of/);
      biller.react = json(200, { status: 'accepted', reference: 'R-1' });
      expect(await send(profile())).toEqual({ kind: 'accepted', httpStatus: 200, billerReference: 'R-1' });
    });

    it('7: a redirect is not followed', async () => {
      biller.react = (response) => void response.writeHead(307, { location: `${biller.baseUrl}/elsewhere` }).end();
      expect(await send(profile())).toEqual({ kind: 'unknown', code: 'redirected' });
      expect(biller.business()).toHaveLength(1);
    });

    it.each(['declared', 'streamed'])('7: an answer over the cap (%s) is not read on', async (how) => {
      const big = JSON.stringify({ status: 'accepted', padding: 'x'.repeat(300 * 1024) });
      biller.react = (response) =>
        void response
          .writeHead(200, {
            'content-type': 'application/json',
            ...(how === 'declared' && { 'content-length': big.length }),
          })
          .end(big);
      expect(await send(profile())).toEqual({ kind: 'unknown', code: 'body-too-large' });
    });

    it('8: permits up to the concurrency, waits at most waitMs, and takes each back once', async () => {
      const two = profile({ Limits: { Concurrency: 2 } });
      const [first, second] = [
        await under.gateway.permit(two, { waitMs: 0 }),
        await under.gateway.permit(two, { waitMs: 0 }),
      ];
      expect([first.granted, second.granted]).toEqual([true, true]);
      const from = under.clock.monotonicMs();
      expect(await under.gateway.permit(two, { waitMs: 100 })).toMatchObject({
        granted: false,
        cause: 'allowance-used-up',
      });
      expect(under.clock.monotonicMs() - from).toBeGreaterThan(80);
      const waiting = under.gateway.permit(two, { waitMs: AMPLE_MS });
      if (first.granted) {
        first.release();
        first.release();
      }
      expect((await waiting).granted).toBe(true);
      expect((await under.gateway.permit(two, { waitMs: 0 })).granted).toBe(false);
    });

    it('8: one who stopped waiting does not swallow the place of the next', async () => {
      const one = profile({ Limits: { Concurrency: 1 } });
      const held = await under.gateway.permit(one, { waitMs: 0 });
      const impatient = under.gateway.permit(one, { waitMs: 20 });
      const patient = under.gateway.permit(one, { waitMs: AMPLE_MS });
      expect((await impatient).granted).toBe(false);
      if (held.granted) held.release();
      expect((await patient).granted).toBe(true);
    });

    it('8: keeps the rate', async () => {
      const perSecond = 20;
      const slow = profile({ Limits: { Concurrency: 100, PerSecond: perSecond } });
      const began = performance.now();
      let granted = 0;
      while (granted < 2 * perSecond && performance.now() - began < AMPLE_MS) {
        const permit = await under.gateway.permit(slow, { waitMs: 50 });
        if (permit.granted) {
          granted++;
          permit.release();
        } else expect(permit).toMatchObject({ cause: 'allowance-used-up' });
      }
      expect(granted).toBe(2 * perSecond);
      // One burst may come at once, what is beyond it takes its time.
      expect(performance.now() - began).toBeGreaterThanOrEqual(((granted - perSecond) / perSecond) * 1_000);
    });

    it('8: the breaker opens after so many failures, then lets one probe through, which closes it', async () => {
      const fragile = profile({ Breaker: { FailuresToOpen: 3, Open: '60s' } });
      under.clock.hold();
      biller.react = json(500, {});
      for (let n = 0; n < 3; n++) await send(fragile);
      under.clock.pass(59_999);
      expect(await under.gateway.permit(fragile, { waitMs: 5_000 })).toEqual({
        granted: false,
        cause: 'breaker-open',
        retryAfterMs: 1,
      });
      under.clock.pass(1);
      const probe = await under.gateway.permit(fragile, { waitMs: 0 });
      expect(probe.granted).toBe(true);
      expect(await under.gateway.permit(fragile, { waitMs: 0 })).toMatchObject({
        granted: false,
        cause: 'breaker-open',
      });
      biller.react = accepted;
      await send(fragile);
      if (probe.granted) probe.release();
      expect((await under.gateway.permit(fragile, { waitMs: 0 })).granted).toBe(true);
    });

    it('8: a failed probe opens the breaker anew; throttling and declines never open it', async () => {
      const fragile = profile({ Breaker: { FailuresToOpen: 2, Open: '60s' } });
      under.clock.hold();
      const throttling = { ...fragile, billerId: billerId('13') };
      biller.react = json(429, {});
      for (let n = 0; n < 4; n++) await send(throttling);
      expect(await under.gateway.permit(throttling, { waitMs: 0 })).toMatchObject({ cause: 'throttled' });
      biller.react = json(422, { status: 'declined' });
      for (let n = 0; n < 4; n++) await send(fragile);
      expect((await under.gateway.permit(fragile, { waitMs: 0 })).granted).toBe(true);
      biller.react = json(500, {});
      for (let n = 0; n < 2; n++) await send(fragile);
      under.clock.pass(60_000);
      const probe = await under.gateway.permit(fragile, { waitMs: 0 });
      await send(fragile);
      if (probe.granted) probe.release();
      expect(await under.gateway.permit(fragile, { waitMs: 0 })).toMatchObject({
        granted: false,
        cause: 'breaker-open',
      });
    });

    it('10: an expression on an answer that does not end is unknown in time, and stops nobody meanwhile', async () => {
      const runaway = profile({ Answers: [{ Status: 200, When: `${RUNAWAY} = body.count`, Outcome: 'accepted' }] });
      const When = "$lowercase(body.status) = 'accepted'";
      const other = { ...profile({ Answers: [{ Status: 200, When, Outcome: 'accepted' }] }), billerId: billerId('13') };
      let judged = 0;
      let isOver = false;
      // One of them is being judged all the time.
      const judging = async (): Promise<void> => {
        while (!isOver) {
          const began = performance.now();
          expect(await send(runaway)).toMatchObject({ kind: 'unknown', code: 'rule-failed' });
          // By itself it would end after minutes.
          expect(performance.now() - began).toBeLessThan(ENDED_WITHIN_MS);
          judged++;
        }
      };
      const calling = async (): Promise<number> => {
        try {
          for (let n = 0; n < CALLS_MEANWHILE; n++) expect(await send(other)).toMatchObject({ kind: 'accepted' });
          return judged;
        } finally {
          isOver = true;
        }
      };
      const [judgedMeanwhile] = await Promise.all([calling(), judging()]);
      // Did they wait for the expressions, each call would have seen one of them to its end.
      expect(judgedMeanwhile).toBeLessThan(CALLS_MEANWHILE / 2);
    });

    it('10: an expression in a request that does not end is a request that cannot be built', async () => {
      const base = profile();
      const body = `{ "reference": ${RUNAWAY} }`;
      const Requests = {
        ...(base.document['Requests'] as object),
        Payment: { Method: 'POST', Path: '/p', Format: 'json', Body: body },
      };
      await expect(prepare(profile({ Requests }))).rejects.toMatchObject({ code: 'request-unbuildable' });
    });

    it.each<[string, string | undefined, number, number]>([
      ['no Retry-After', undefined, 1_000, 2_000],
      ['a Retry-After of junk', 'soon', 1_000, 2_000],
      ['a Retry-After of zero', '0', 1_000, 2_000],
      ['a negative Retry-After', '-1', 1_000, 2_000],
      ['a Retry-After in the past', 'Thu, 01 Jan 1970 00:00:10 GMT', 1_000, 2_000],
      ['a Retry-After of 7 s', '7', 7_000, 7_000],
      ['a Retry-After of a year', '31536000', 3_600_000, 3_600_000],
      ['a Retry-After in the year 2999', 'Tue, 01 Jan 2999 00:00:00 GMT', 3_600_000, 3_600_000],
    ])('11: after two 429 with %s nobody calls until the wait is over', async (_name, header, fromMs, toMs) => {
      under.clock.hold();
      biller.react = json(429, {}, header === undefined ? {} : { 'retry-after': header });
      expect(await send(profile())).toMatchObject({ kind: 'throttled' });
      const again = await under.gateway.permit(profile(), { waitMs: 0 });
      expect(again.granted).toBe(true);
      if (again.granted) again.release();
      const outcome = await send(profile());
      expect(outcome).toMatchObject({ kind: 'throttled' });
      const waitMs = outcome.kind === 'throttled' ? outcome.retryAfterMs : 0;
      expect(waitMs).toBeGreaterThanOrEqual(fromMs);
      expect(waitMs).toBeLessThanOrEqual(toMs);
      const refused = await under.gateway.permit(profile(), { waitMs: 0 });
      expect(refused).toEqual({ granted: false, cause: 'throttled', retryAfterMs: waitMs });
      expect(await inquire(profile({}, API_KEY))).toEqual({ answer: 'unavailable' });
      expect(biller.business()).toHaveLength(2);
    });

    it('11: one 429 between calls that work is waited for by its record alone', async () => {
      const throttled = json(429, {}, { 'retry-after': '7' });
      for (const [reaction, outcome] of [
        [throttled, { kind: 'throttled', retryAfterMs: 7_000 }],
        [accepted, { kind: 'accepted' }],
        [throttled, { kind: 'throttled', retryAfterMs: 7_000 }],
      ] as const) {
        biller.react = reaction;
        expect(await send(profile())).toMatchObject(outcome);
      }
      expect((await under.gateway.permit(profile(), { waitMs: 0 })).granted).toBe(true);
    });

    it('11: then one call finds out; the wait grows while it is throttled, and ends with an answer', async () => {
      under.clock.hold();
      biller.react = json(429, {});
      await send(profile());
      const first = await send(profile());
      expect(first.kind).toBe('throttled');
      under.clock.pass(first.kind === 'throttled' ? first.retryAfterMs : 0);
      const probe = await under.gateway.permit(profile(), { waitMs: 0 });
      expect(probe.granted).toBe(true);
      expect(await under.gateway.permit(profile(), { waitMs: 0 })).toMatchObject({
        granted: false,
        cause: 'throttled',
      });
      biller.react = accepted;
      expect(await send(profile())).toMatchObject({ kind: 'accepted' });
      expect((await under.gateway.permit(profile(), { waitMs: 0 })).granted).toBe(true);
      if (probe.granted) probe.release();
    });

    it('11: fifty records whose token cannot be had ask once, and those after them not at all', async () => {
      under.clock.hold();
      biller.token = json(503, {});
      const of = profile({}, OAUTH);
      const asked = await Promise.allSettled(Array.from({ length: 50 }, () => prepare(of)));
      expect(asked.every(({ status }) => status === 'rejected')).toBe(true);
      for (let n = 0; n < 50; n++)
        await expect(prepare(of)).rejects.toMatchObject({
          code: 'unavailable',
          retryAfterMs: expect.any(Number),
        });
      expect(await under.gateway.permit(of, { waitMs: 0 })).toMatchObject({
        cause: 'token-unavailable',
      });
      expect(await inquire(of)).toEqual({ answer: 'unavailable' });
      expect(biller.received).toHaveLength(1);
    });

    it.each<[string, Reaction, object]>([
      ['a 202 without a rule', json(202, { status: 'received' }), {}],
      ['a 202 without a body', (response) => void response.writeHead(202).end(), {}],
      ['a 200 in other words', json(200, { status: 'queued' }), {}],
      [
        'a 409 that a rule calls unknown',
        json(409, {}),
        {
          Answers: [
            { Status: 409, Outcome: 'unknown' },
            { Status: 200, When: "body.status = 'accepted'", Outcome: 'accepted' },
          ],
        },
      ],
    ])('12: %s does not open the breaker (issue 8, no 10)', async (_name, reaction, overrides) => {
      const fragile = profile({ Breaker: { FailuresToOpen: 2, Open: '60s' }, ...overrides });
      biller.react = reaction;
      for (let n = 0; n < 5; n++) expect(await send(fragile)).toMatchObject({ kind: 'unknown' });
      expect((await under.gateway.permit(fragile, { waitMs: 0 })).granted).toBe(true);
    });

    it.each<[string, Reaction, object]>([
      ['a 503', json(503, {}), {}],
      [
        'a 500 that a rule calls unknown',
        json(500, {}),
        {
          Answers: [
            { Status: '5xx', Outcome: 'unknown' },
            { Status: 200, Outcome: 'accepted' },
          ],
        },
      ],
      ['a reset', (_r, _q, socket) => socket.resetAndDestroy(), {}],
      [
        'a broken body',
        (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"st'),
        {},
      ],
      [
        'a page for people',
        (response) => void response.writeHead(404, { 'content-type': 'text/html' }).end('<html>'),
        {},
      ],
    ])('12: %s opens it', async (_name, reaction, overrides) => {
      const fragile = profile({ Breaker: { FailuresToOpen: 2, Open: '60s' }, ...overrides });
      biller.react = reaction;
      for (let n = 0; n < 2; n++) await send(fragile);
      expect(await under.gateway.permit(fragile, { waitMs: 0 })).toMatchObject({ cause: 'breaker-open' });
    });

    describe('inquire', () => {
      it.each([
        [
          json(200, { state: 'posted', reference: 'R-9', amountMinorUnits: 1234 }),
          { answer: 'delivered', billerReference: 'R-9', amount: { minorUnits: 1234, currency: 'EUR' } },
        ],
        // The profile has amounts compared: an answer without one settles nothing.
        [json(200, { state: 'posted', reference: 'R-9' }), { answer: 'cannot-tell' }],
        [json(200, { state: 'posted', amountMinorUnits: 12.5 }), { answer: 'cannot-tell' }],
        [json(200, { state: 'declined', code: 'account-closed' }), { answer: 'declined', code: 'account-closed' }],
        [json(200, { state: 'pending' }), { answer: 'pending' }],
        [json(404, { state: 'absent' }), { answer: 'absent' }],
        [json(404, {}), { answer: 'unavailable' }],
        [json(500, {}), { answer: 'unavailable' }],
      ])('answers in the profile’s words only (%#)', async (reaction, expected) => {
        biller.react = reaction;
        expect(await inquire(profile({}, API_KEY))).toEqual(expected);
        expect(biller.business()[0]).toMatchObject({
          method: 'GET',
          url: '/status?reference=12%3A100',
          headers: { 'x-api-key': 'secret-of-json-api-key-inquiry-api-key' },
        });
      });

      it('gets a new token once after a 401', async () => {
        biller.react = (response, request, socket) =>
          (request.headers.authorization === 'Bearer token-1' ? json(401, {}) : json(404, { state: 'absent' }))(
            response,
            request,
            socket,
          );
        expect(await inquire(profile({}, OAUTH))).toEqual({ answer: 'absent' });
      });

      it.each([
        ['12.34', 'EUR', 1234],
        [12.5, 'EUR', 1250],
        ['12.345', 'EUR', 'cannot-tell'],
        ['12,34', 'EUR', 'cannot-tell'],
        ['1234', 'JPY', 1234],
        ['1234.00', 'JPY', 1234],
        ['12.34', 'JPY', 'cannot-tell'],
        ['1.234', 'KWD', 1234],
        ['1e3', 'USD', 'cannot-tell'],
      ])('reads the amount %s as decimal text in %s (issue 8, no 3)', async (amount, currency, expected) => {
        biller.react = json(200, { state: 'posted', amount });
        const document = profile({}, API_KEY).document as { readonly StatusInquiry: object };
        const inquiry = { ...document.StatusInquiry, AmountMinorUnits: undefined, Amount: 'body.amount' };
        const payment = { ...paymentRow().payment!, amount: { minorUnits: 1234, currency } };
        const answer = await under.gateway.inquire({
          profile: profile({ StatusInquiry: JSON.parse(JSON.stringify(inquiry)) as object }, API_KEY),
          record: recordKey(paymentRow().billerId, paymentRow().dpId),
          row: paymentRow({ payment }),
          idempotencyKey: 'key-1',
          timeoutMs: AMPLE_MS,
        });
        if (typeof expected === 'string') expect(answer).toEqual({ answer: expected });
        else expect(answer).toMatchObject({ answer: 'delivered', amount: { minorUnits: expected, currency } });
      });

      it('without the row still tells another amount', async () => {
        biller.react = json(200, { state: 'posted', amountMinorUnits: 99 });
        const amount = { minorUnits: 98, currency: 'JPY' };
        expect(await inquire(profile({}, API_KEY), { withoutRow: true, amount })).toMatchObject({
          answer: 'delivered',
          amount: { minorUnits: 99, currency: 'JPY' },
        });
      });

      it('tells no amount where no money moves, and does not settle where it should tell one and cannot', async () => {
        biller.react = json(200, { state: 'posted' });
        expect(await inquire(profile({}, API_KEY), { withoutRow: true })).toMatchObject({
          answer: 'delivered',
          amount: undefined,
        });
        expect(await inquire(profile({}, API_KEY))).toEqual({ answer: 'cannot-tell' });
        const amount = { minorUnits: 98, currency: 'JPY' };
        expect(await inquire(profile({}, API_KEY), { withoutRow: true, amount })).toEqual({ answer: 'cannot-tell' });
      });

      it('is unavailable without a StatusInquiry', async () => {
        expect(await inquire(profile())).toEqual({ answer: 'unavailable' });
      });
    });

    /** Bytes that left late would arrive within this. */
    async function expectSilence(): Promise<void> {
      await under.clock.sleep(200);
      expect(biller.business()).toEqual([]);
    }

    describe('9: a key that would not arrive is never sent without (issue 8, no 1)', () => {
      const retention = { Retention: '24h' };
      const requests = (headers: Record<string, string>) => ({
        Payment: { ...(profile().document['Requests'] as { Payment: object }).Payment, Headers: headers },
      });

      it.each([
        'Authorization', 'authorization', 'Content-Type', 'content-length', 'Transfer-Encoding', 'Connection', 'Host', 'Expect', 'Upgrade',
        'traceparent', 'Cookie', 'Proxy-Authorization', 'X-Channel', 'x-channel', 'Accept-Encoding',
      ])('%s as the header of the key', async (header) => {
        const of = stored({ Idempotency: { Header: header, ...retention } });
        await expect(prepare(of)).rejects.toMatchObject({ code: 'request-unbuildable', retryable: false });
        expect(biller.business()).toEqual([]);
      }); // prettier-ignore

      it('the header of the API key as the header of the key', async () => {
        const of = stored({ Idempotency: { Header: 'x-api-KEY', ...retention } }, 'json-api-key-inquiry');
        await expect(prepare(of)).rejects.toMatchObject({ code: 'request-unbuildable' });
        expect(await inquire(of)).toEqual({ answer: 'unavailable' });
        expect(biller.received).toEqual([]);
      });

      it.each([{ 'Idempotency-key': 'fixed' }, { 'X-One': '1', 'x-one': '2' }, { HOST: 'elsewhere' }])(
        '%p among the Headers',
        async (headers) => {
          const of = stored({
            Idempotency: { Header: 'Idempotency-Key', ...retention },
            Requests: requests(headers),
          });
          await expect(prepare(of)).rejects.toMatchObject({ code: 'request-unbuildable' });
          expect(biller.business()).toEqual([]);
        },
      );

      it('in a usual header it arrives, once and whole', async () => {
        expect(await send(profile({ Idempotency: { Header: 'X-Request-Key', ...retention } }))).toMatchObject({
          kind: 'accepted',
        });
        expect(biller.business()).toMatchObject([{ headers: { 'x-request-key': 'key-1' } }]);
      });
    });
  });
}

async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
