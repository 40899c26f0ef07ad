import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordKey } from '../../src/domain/identifiers';
import { paymentRow, profileOf } from '../support/biller-fixtures';
import { openHttpGateway } from '../support/http-gateway';
import { startScriptedBiller } from '../support/scripted-biller';
import { selfSignedCertificate, type SelfSignedCertificate } from '../support/self-signed-certificate';
import { billerGatewayContract } from './biller-gateway.contract';

let folder: string;
let certificate: SelfSignedCertificate;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-tls-'));
  certificate = selfSignedCertificate(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As billers speak in production: what left, and when, must be known through TLS as well. */
billerGatewayContract('axios over undici, TLS', async () => ({
  ...openHttpGateway({ trusted: certificate.certificate }),
  biller: certificate,
}));

it('sends nothing, not even a token, to a biller whose certificate it does not trust', async () => {
  const biller = await startScriptedBiller(certificate);
  const under = openHttpGateway({});
  try {
    const profile = profileOf('json-basic-neither', biller.baseUrl, {});
    const row = paymentRow();
    const call = await under.gateway.prepare({ profile, row, idempotencyKey: 'key-1' });
    const since = under.clock.monotonicMs();
    expect(await call.send({ since, sendWithinMs: 20_000 })).toEqual({ kind: 'not-executed', code: 'tls-failed' });
    const asked = { profile, record: recordKey(profile.billerId, row.dpId), row, idempotencyKey: 'key-1' };
    expect((await under.gateway.inquire({ ...asked, timeoutMs: 20_000 })).answer).toBe('unavailable');
    const oauth = profileOf('json-oauth2-keys-and-inquiry', biller.baseUrl, {});
    await expect(under.gateway.prepare({ profile: oauth, row, idempotencyKey: 'key-1' })).rejects.toMatchObject({
      name: 'PortFailure',
    });
    expect(biller.received).toEqual([]);
  } finally {
    await biller.close();
    await under.close();
  }
});
