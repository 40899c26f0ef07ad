import { request } from 'node:http';
import { RunningSandbox } from '../support/running-sandbox';
import { until } from '../support/until';

/** So long an answer is on its way that another request overtakes it, on however slow a machine. */
const ON_ITS_WAY_MS = 2_000;
/** Stopping that waits for what hangs on purpose lasts as long. */
const HANG_MS = 60_000;
let sandbox: RunningSandbox;
afterEach(() => sandbox?.dispose());

const keys = { idempotency: { header: 'Idempotency-Key', retentionMs: 60_000 } };
const key = (text: string) => ({ 'idempotency-key': text });

describe('effects of the sandbox biller', () => {
  it('are committed before the answer is there, with all that the proof needs', async () => {
    sandbox = await RunningSandbox.start();
    for (let index = 0; index < 20; index += 1) {
      const reply = await sandbox.post({ reference: `12:${index}` });
      expect(reply.body).toEqual({ status: 'accepted', reference: `12-${index + 1}` });
      expect(sandbox.count('effects')).toBe(index + 1);
    }
    expect(sandbox.rows('SELECT * FROM effects WHERE effect_id = 1')).toEqual([
      {
        effect_id: 1,
        biller_id: '12',
        reference: '12:0',
        data_type: 'Payments',
        amount_minor_units: 1234,
        currency: 'CZK',
        idempotency_key: null,
        biller_reference: '12-1',
        at: '2026-11-20T08:00:00.000Z',
        cause: 'request',
      },
    ]);
  });

  it('are doubled by a second request for the same reference: nothing hides a double', async () => {
    sandbox = await RunningSandbox.start();
    await sandbox.post();
    await sandbox.post({}, key('k1'));
    await sandbox.post({}, key('k1'));
    expect(sandbox.count('effects')).toBe(3);
  });

  it('carry the data type of each endpoint, and no amount where no money moves', async () => {
    sandbox = await RunningSandbox.start();
    const choice = JSON.stringify({ reference: '12:1', account: 'A-1' });
    const payment = JSON.stringify({ reference: '12:1', account: 'A-1', amountMinorUnits: -5, currency: 'EUR' });
    for (const [path, body] of [
      ['payments', payment],
      ['paperless', choice],
      ['autopay', choice],
      ['ach-rejects', payment],
    ]) {
      await sandbox.send(`/${path}`, { method: 'POST', body: body! });
    }
    expect(sandbox.rows('SELECT data_type, amount_minor_units AS amount FROM effects')).toEqual([
      { data_type: 'Payments', amount: -5 },
      { data_type: 'Paperless', amount: null },
      { data_type: 'AutoPay', amount: null },
      { data_type: 'ACHRejects', amount: -5 },
    ]);
  });

  it('do not happen on a closed account, which declines, nor on a refusing one, which is always in maintenance', async () => {
    sandbox = await RunningSandbox.start({ faults: { 'error-500-after-effect': 0 }, inquiry: {} });
    const closed = await sandbox.post({ account: 'CLOSED-7' });
    expect([closed.status, closed.body]).toEqual([422, { status: 'declined', code: 'account-closed' }]);
    const refusing = await sandbox.post({ reference: '12:2', account: 'REFUSING-7' });
    expect([refusing.status, refusing.body]).toEqual([503, { code: 'maintenance' }]);
    expect(sandbox.count('effects')).toBe(0);
    expect(sandbox.rows('SELECT biller_id, reference, code FROM declines')).toEqual([
      { biller_id: '12', reference: '12:1', code: 'account-closed' },
    ]);
    expect((await sandbox.inquire('12:2')).status).toBe(404);
  });
});

describe('idempotency keys of the sandbox biller', () => {
  it('replay the stored answer without a second effect, also after a restart', async () => {
    sandbox = await RunningSandbox.start(keys);
    const first = await sandbox.post({}, key('k1'));
    expect(await sandbox.post({}, key('k1'))).toMatchObject({ status: 201, body: first.body });
    await sandbox.stopServer();
    await sandbox.startServer();
    expect(await sandbox.post({}, key('k1'))).toMatchObject({ status: 201, body: first.body });
    expect(sandbox.rows('SELECT idempotency_key FROM effects')).toEqual([{ idempotency_key: 'k1' }]);
  });

  it('replay a decline as well', async () => {
    sandbox = await RunningSandbox.start(keys);
    for (let index = 0; index < 2; index += 1)
      expect((await sandbox.post({ account: 'CLOSED' }, key('k1'))).status).toBe(422);
    expect(sandbox.count('declines')).toBe(1);
  });

  it('are refused with another body, or on another endpoint', async () => {
    sandbox = await RunningSandbox.start(keys);
    await sandbox.post({}, key('k1'));
    const other = await sandbox.post({ amountMinorUnits: 99 }, key('k1'));
    expect([other.status, other.body]).toEqual([422, { code: 'key-reused' }]);
    expect((await sandbox.post({}, key('k1'), '/ach-rejects')).body).toEqual({ code: 'key-reused' });
    expect(sandbox.count('effects')).toBe(1);
  });

  it('are forgotten after their retention: then a request is a new effect, and the key lives anew', async () => {
    sandbox = await RunningSandbox.start(keys);
    await sandbox.post({}, key('k1'));
    sandbox.nowMs += 59_999;
    await sandbox.post({}, key('k1'));
    expect(sandbox.count('effects')).toBe(1);
    sandbox.nowMs += 1;
    await sandbox.post({}, key('k1'));
    expect(sandbox.count('effects')).toBe(2);
    await sandbox.post({}, key('k1'));
    expect(sandbox.count('effects')).toBe(2);
  });

  it('are in use while the first answer is on its way', async () => {
    sandbox = await RunningSandbox.start({
      ...keys,
      latencyMs: { median: 0, max: ON_ITS_WAY_MS },
      faults: { latency: 1 },
    });
    const first = sandbox.post({}, key('k1'));
    await until('the first request has arrived', () => sandbox.count('effects') === 1);
    const second = await sandbox.post({}, key('k1'));
    expect([second.status, second.body]).toEqual([409, { code: 'key-in-use' }]);
    expect((await first).status).toBe(201);
    expect((await sandbox.post({}, key('k1'))).status).toBe(201);
    expect(sandbox.count('effects')).toBe(1);
  });

  it('are in use until a late effect has landed, across a restart, and then tell of it', async () => {
    const faults = { 'timeout-with-late-effect': 0.5 };
    // Seed 0 draws the fault for the first request and none for the next three.
    sandbox = await RunningSandbox.start({ ...keys, faults, hangMs: 1, quarantineMs: 50_000 }, '0');
    await expect(sandbox.post({}, key('k1'))).rejects.toThrow('fetch failed');
    expect((await sandbox.post({}, key('k1'))).body).toEqual({ code: 'key-in-use' });
    await sandbox.stopServer();
    await sandbox.startServer();
    expect((await sandbox.post({}, key('k1'))).body).toEqual({ code: 'key-in-use' });
    sandbox.nowMs += 50_000;
    expect((await sandbox.post({}, key('k1'))).body).toEqual({ status: 'accepted', reference: '12-1' });
    expect(sandbox.count('effects')).toBe(1);
  });
});

describe('the status inquiry of the sandbox biller', () => {
  it('does not see an effect that is younger than its lag', async () => {
    sandbox = await RunningSandbox.start({ inquiry: { lagMs: 2_000 } });
    await sandbox.post();
    sandbox.nowMs += 1_999;
    const early = await sandbox.inquire();
    expect([early.status, early.body]).toEqual([404, { state: 'absent' }]);
    sandbox.nowMs += 1;
    const seen = await sandbox.inquire();
    expect([seen.status, seen.body]).toEqual([200, { state: 'posted', reference: '12-1', amountMinorUnits: 1234 }]);
  });

  it('tells of a decline, and knows nothing of other references', async () => {
    sandbox = await RunningSandbox.start({ inquiry: {} });
    await sandbox.post({ account: 'CLOSED' });
    expect((await sandbox.inquire()).body).toEqual({ state: 'declined' });
    expect((await sandbox.inquire('12:2')).status).toBe(404);
  });

  it('does not exist at a biller without one', async () => {
    sandbox = await RunningSandbox.start();
    expect((await sandbox.inquire()).body).toEqual({ code: 'no-such-endpoint' });
  });
});

describe('access to the sandbox biller', () => {
  const oauth2 = { authentication: { kind: 'oauth2', clientId: 'me', clientSecret: 'secret', tokenLifetimeMs: 3_000 } };
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const token = async (body: string, headers = {}) =>
    sandbox.send('/oauth/token', { method: 'POST', body, headers: { ...form, ...headers } });

  it('needs a token that has not expired', async () => {
    sandbox = await RunningSandbox.start(oauth2);
    expect((await sandbox.post()).status).toBe(401);
    const granted = (await token('grant_type=client_credentials&client_id=me&client_secret=secret')).body;
    expect(granted).toMatchObject({ token_type: 'Bearer', expires_in: 3 });
    const bearer = { authorization: `Bearer ${String(granted['access_token'])}` };
    expect((await sandbox.post({}, bearer)).status).toBe(201);
    sandbox.nowMs += 3_000;
    const expired = await sandbox.post({}, bearer);
    expect([expired.status, expired.body]).toEqual([401, { code: 'token-expired' }]);
    expect(sandbox.count('effects')).toBe(1);
    expect(await sandbox.report()).toMatchObject({ tokensExpired: 1, unauthorized: 1, faults: { 'token-expired': 1 } });
  });

  it('lets a token die before its promised end where it is told to', async () => {
    sandbox = await RunningSandbox.start({ authentication: { ...oauth2.authentication, promisedLifetimeMs: 60_000 } });
    const granted = (await token('grant_type=client_credentials&client_id=me&client_secret=secret')).body;
    expect(granted).toMatchObject({ expires_in: 60 });
    sandbox.nowMs += 3_000;
    expect((await sandbox.post({}, { authorization: `Bearer ${String(granted['access_token'])}` })).status).toBe(401);
  });

  it('gives a token for basic credentials too, and for no others', async () => {
    sandbox = await RunningSandbox.start(oauth2);
    const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    expect((await token('grant_type=client_credentials', basic('me:secret'))).status).toBe(200);
    expect((await token('grant_type=client_credentials', basic('me:wrong'))).status).toBe(401);
    expect((await token('grant_type=client_credentials&client_id=me&client_secret=wrong')).status).toBe(401);
    expect((await token('client_id=me&client_secret=secret')).status).toBe(401);
    expect((await sandbox.post({}, { authorization: 'Bearer 9999999999999.x.forged' })).status).toBe(401);
  });

  it('takes an api key or basic credentials where the biller wants those', async () => {
    sandbox = await RunningSandbox.start({ authentication: { kind: 'api-key', header: 'X-Api-Key', key: 'abc' } });
    expect((await sandbox.post({}, { 'x-api-key': 'abd' })).status).toBe(401);
    expect((await sandbox.post({}, { 'x-api-key': 'abc' })).status).toBe(201);
    await sandbox.dispose();
    sandbox = await RunningSandbox.start({ authentication: { kind: 'basic', user: 'u', password: 'p' } });
    expect((await sandbox.post({}, { authorization: `Basic ${btoa('u:q')}` })).status).toBe(401);
    expect((await sandbox.post({}, { authorization: `Basic ${btoa('u:p')}` })).status).toBe(201);
  });
});

describe('bodies of the sandbox biller', () => {
  it('are xml both ways at an xml biller, nested parts passed over and entities decoded', async () => {
    sandbox = await RunningSandbox.start({ format: 'xml', inquiry: {} });
    const body = `<?xml version="1.0"?>\n<Payment kind="a">
      <reference>12:&lt;1&#62;</reference><customer><reference>no</reference></customer><note/>
      <account>A &amp; B</account><amountMinorUnits>77</amountMinorUnits><currency>CZK</currency></Payment>`;
    const reply = await sandbox.send('/payments', { method: 'POST', body });
    expect(reply.headers.get('content-type')).toBe('application/xml');
    expect(reply.text).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><Answer><status>accepted</status><reference>12-1</reference></Answer>',
    );
    expect(sandbox.rows('SELECT reference, amount_minor_units AS amount FROM effects')).toEqual([
      { reference: '12:<1>', amount: 77 },
    ]);
    expect((await sandbox.inquire('12:<1>')).text).toContain('<state>posted</state>');
  });

  it('are read as forms and answered in json at a form biller', async () => {
    sandbox = await RunningSandbox.start({ format: 'form' });
    const body = 'reference=12%3A1&account=A+1&amountMinorUnits=5&currency=CZK';
    expect((await sandbox.send('/payments', { method: 'POST', body })).body).toEqual({
      status: 'accepted',
      reference: '12-1',
    });
  });

  it.each([
    ['json', '{"reference":', 'the body is not JSON'],
    ['json', '[1]', 'the body is not a JSON object'],
    ['json', '{"account":"A"}', 'reference is missing'],
    ['json', '{"reference":"1","amountMinorUnits":1.5,"currency":"CZK"}', 'amountMinorUnits must be an integer'],
    ['json', '{"reference":"1"}', 'amountMinorUnits and currency are needed where money moves'],
    ['form', 'reference=1&amountMinorUnits=1e3&currency=CZK', 'amountMinorUnits must be an integer'],
    ['xml', '<Payment><reference>1</reference>', 'it ends early'],
    ['xml', '<Payment><reference>1</account></Payment>', 'closes nothing'],
    ['xml', '<!DOCTYPE x><Payment/>', 'unexpected text at position 0'],
    ['xml', '<Payment/><Payment/>', 'unexpected text at position 10'],
  ])('that are broken are refused with the reason (%s %s)', async (format, body, problem) => {
    sandbox = await RunningSandbox.start({ format });
    const reply = await sandbox.send('/payments', { method: 'POST', body });
    expect(reply.status).toBe(400);
    expect(reply.text).toContain(problem);
    expect(sandbox.count('effects')).toBe(0);
  });

  it('that are too large, or sent with another method or to an unknown path, are refused', async () => {
    sandbox = await RunningSandbox.start();
    expect((await sandbox.send('/payments', { method: 'POST', body: 'x'.repeat(70_000) })).status).toBe(413);
    expect((await sandbox.send('/payments', { method: 'PUT', body: '{}' })).status).toBe(405);
    expect((await sandbox.send('/refunds', { method: 'POST', body: '{}' })).status).toBe(404);
  });
});

it('stopping closes what hangs on purpose and lets the other answers leave', async () => {
  sandbox = await RunningSandbox.start({ latencyMs: { median: 0, max: 200 }, faults: { latency: 1 } });
  const slow = sandbox.post();
  await until('the slow request has arrived', () => sandbox.count('effects') === 1);
  await sandbox.stopServer();
  expect(await slow).toMatchObject({ status: 201 });
  await expect(sandbox.post()).rejects.toThrow('fetch failed');
  await sandbox.dispose();

  sandbox = await RunningSandbox.start({ faults: { 'timeout-with-effect': 1 }, hangMs: HANG_MS });
  const hanging = sandbox.post().catch((error: Error) => error.message);
  await until('the hanging request has arrived', () => sandbox.count('effects') === 1);
  await sandbox.stopServer();
  expect(await hanging).toBe('fetch failed');
});

it('a client that goes away does not keep a hanging request alive', async () => {
  sandbox = await RunningSandbox.start({ faults: { 'timeout-with-effect': 1 }, hangMs: HANG_MS });
  const client = request(`${sandbox.url}/payments`, { method: 'POST' });
  client.on('error', () => {});
  client.end(JSON.stringify({ reference: '12:1', amountMinorUnits: 1, currency: 'CZK' }));
  await until('the request has arrived', () => sandbox.count('effects') === 1);
  client.destroy();
  const startedAt = performance.now();
  await sandbox.stopServer();
  expect(performance.now() - startedAt).toBeLessThan(HANG_MS / 3);
});
