import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import {
  type ProfileRules,
  problemText,
  validateProfileDocument,
} from '../../src/adapters/biller-profiles/validate-profile-document';
import { profileFromDocument } from '../../src/adapters/biller-profiles/profile-from-document';
import { versionOf } from '../../src/adapters/biller-profiles/profile-version';
import { type BillerDocument } from '../../src/adapters/shared/biller-document/biller-document';
import { sha256Digest } from '../../src/adapters/system/sha256-digest';
import { type BillerProfile } from '../../src/domain/biller/biller-profile';
import { billerId, chunkId, customerId, dpId, paymentId, shardName } from '../../src/domain/identifiers';
import { type DpRow } from '../../src/domain/dp-record/dp-row';
import { instant } from '../../src/domain/instant';

export const LOOPBACK_RULES: ProfileRules = {
  hosts: { allowedHosts: ['*.example'], allowPlainLoopback: true },
  digest: sha256Digest,
};

export const template = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(__dirname, '../../billers/templates', `${name}.json`), 'utf8')) as Record<
    string,
    unknown
  >;

/** A valid profile of a template, spoken to at `baseUrl`. */
export function profileOf(
  name: string,
  baseUrl: string,
  overrides: Readonly<Record<string, unknown>> = {},
): BillerProfile {
  const verdict = validateProfileDocument(
    instantiateTemplate(template(name), { billerId: '12', baseUrl, overrides }),
    name,
    LOOPBACK_RULES,
  );
  if ('problems' in verdict) throw new Error(verdict.problems.map(problemText).join('\n'));
  return verdict.profile;
}

/** A version that stands in the event store since before today's rules: read as it is, not validated again. */
export function storedProfileOf(
  name: string,
  baseUrl: string,
  overrides: Readonly<Record<string, unknown>> = {},
): BillerProfile {
  const document = instantiateTemplate(template(name), { billerId: '12', baseUrl, overrides });
  return profileFromDocument(document as unknown as BillerDocument, versionOf(document, sha256Digest));
}

export function paymentRow(changes: Partial<DpRow> = {}): DpRow {
  return {
    shard: shardName('Shard-1'),
    dpId: dpId('100'),
    billerId: billerId('12'),
    dataType: 'Payments',
    status: 'Published',
    chunkId: chunkId('c-1'),
    customerId: customerId('7'),
    paymentId: paymentId('p-1'),
    createdAt: instant('2026-11-20T08:00:00.000Z'),
    sweepCount: 0,
    customer: {
      customerId: customerId('7'),
      billerId: billerId('12'),
      accountNumber: 'A&1',
      name: 'Ada <Lovelace>',
      email: 'ada@mail.example',
      paperless: true,
      autoPay: false,
    },
    payment: {
      paymentId: paymentId('p-1'),
      customerId: customerId('7'),
      billerId: billerId('12'),
      amount: { minorUnits: 1234, currency: 'EUR' },
      invoiceType: 'Premium',
      paidAt: instant('2026-11-19T10:00:00.000Z'),
      achReturnCode: undefined,
    },
    biller: { billerId: billerId('12'), dba: 'Water & Light', active: true },
    details: [],
    ...changes,
  };
}
