import { createLogger } from 'bunyan';
import { logStream } from '../../src/adapters/command-line/printer';
import { ValidatedMessageContracts } from '../../src/adapters/messages/validated-message-contracts';
import { problemText, validateProfileDocument } from '../../src/adapters/biller-profiles/validate-profile-document';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { BunyanTelemetry } from '../../src/adapters/telemetry/bunyan-telemetry';
import { causeChain } from '../../src/application/ports/failures';
import { recordKey } from '../../src/domain/identifiers';
import { LOOPBACK_RULES, paymentRow, profileOf, template } from '../support/biller-fixtures';
import { openHttpGateway } from '../support/http-gateway';
import { json, startScriptedBiller } from '../support/scripted-biller';

const CANARY = '5425-2334 3010.9903';
const OAUTH = 'json-oauth2-keys-and-inquiry';

describe('no input carries a card number into a store or a log (issue 8, no 14)', () => {
  it.each([
    [200, { status: 'accepted', reference: `ref ${CANARY}` }],
    [200, { status: 'accepted', reference: 5425233430109903 }],
    [422, { status: 'declined', code: `${CANARY} cvv: 123` }],
    [500, { status: 'failed', code: CANARY }],
    [200, { status: CANARY, code: `${'x'.repeat(100)} ${CANARY}` }],
  ])('neither an answer with %i %j', async (status, body) => {
    const biller = await startScriptedBiller();
    const { gateway, clock, close } = openHttpGateway({});
    try {
      biller.react = json(status, body, { 'x-reference': CANARY });
      const profile = profileOf(OAUTH, biller.baseUrl);
      const call = await gateway.prepare({ profile, row: paymentRow(), idempotencyKey: 'key-1' });
      const outcome = await call.send({ since: clock.monotonicMs(), sendWithinMs: 20_000 });
      const inquired = await gateway.inquire({
        profile,
        record: recordKey(profile.billerId, paymentRow().dpId),
        row: paymentRow(),
        idempotencyKey: 'key-1',
        timeoutMs: 20_000,
      });
      expect(JSON.stringify([outcome, inquired])).not.toMatch(/5425|2334|cvv: 123/);
      expect(JSON.stringify([outcome, inquired])).toMatch(
        status === 200 && body.status === CANARY ? /unknown/ : /\[card \*\*\*\*9903\]|http-500/,
      );
    } finally {
      await close();
      await biller.close();
    }
  });

  it('nor a message', () => {
    const contracts = new ValidatedMessageContracts();
    const carriedOf = (body: object) => ({ body, correlationId: undefined, properties: {} });
    const body = {
      dpId: '1',
      billerId: '12',
      eventType: 'Payments',
      occurredAt: '2026-11-20T08:00:00.000Z',
      version: 1,
      traceId: '12:1',
      messageId: '12:1',
      source: { shard: 'S', table: `dbo ${CANARY}` },
    };
    expect(contracts.record(carriedOf(body))).toMatchObject({
      valid: true,
      message: { source: { table: 'dbo [card ****9903]' } },
    });
    for (const name of Object.keys(body)) {
      const checked = contracts.record(
        carriedOf({ ...body, [name]: { nested: CANARY }, source: { shard: CANARY, table: 7 } }),
      );
      expect(checked.valid ? ['valid'] : checked.problems).not.toContainEqual(expect.stringMatching(/5425/));
    }
  });

  it('nor a log line, an error or its causes; ids are left as they are', () => {
    let text = '';
    const telemetry = new BunyanTelemetry(
      createLogger({ name: 'x', stream: logStream({ write: (line) => (text += line) }) as NodeJS.WritableStream }),
    );
    const error = new Error(`answered ${CANARY}`, { cause: new Error(`cvv=123 \u202e\n${CANARY}`) });
    telemetry.info(`got ${CANARY}`, { code: CANARY, record: '12:4929421234600821' });
    telemetry.error('failed', error, { why: CANARY });
    expect(`${text}${causeChain(error)}`).not.toMatch(/5425|cvv=123|\u202e/);
    expect(text).toContain('12:4929421234600821');
    expect(text.trimEnd().split('\n')).toHaveLength(2);
    expect(causeChain(error).split('\n')).toEqual([
      'Error: answered [card ****9903]',
      '  caused by Error: cvv=*** \\u{202e}\\n[card ****9903]',
    ]);
  });

  it('nor a profile', () => {
    const document = {
      ...instantiateTemplate(template(OAUTH), { billerId: '12', baseUrl: 'https://a.example/v1' }),
      Description: `try ${CANARY}`,
    };
    const verdict = validateProfileDocument(document, 'a.json', LOOPBACK_RULES);
    expect('problems' in verdict && verdict.problems.map(problemText)).toEqual([
      expect.stringMatching(/^a\.json \/Description: holds what looks like a card number/),
    ]);
  });
});
