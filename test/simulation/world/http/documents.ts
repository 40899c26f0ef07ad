import {
  type AuthenticationDocument,
  type BillerDocument,
  type BodyFormat,
  type InquiryDocument,
  type RequestDocument,
  type RetryDocument,
} from '../../../../src/adapters/shared/biller-document/biller-document';
import { type BillerProfile, type RetrySchedule } from '../../../../src/domain/biller/biller-profile';
import { type Action, ACTIONS } from '../../../../src/domain/biller/data-type';
import { type Dice } from '../dice';

/** Billers of one vendor share a client, its secret and the place where tokens come from. */
const TOKEN_URL = 'https://tokens.example/oauth/token';
export const KEY_HEADER = 'Idempotency-Key';
/** Tells the biller of this world by which version of its profile a request was built. */
export const VERSION_HEADER = 'X-Profile-Version';
export const API_KEY_HEADER = 'X-Api-Key';

const PATHS: Readonly<Record<Action, string>> = {
  Payment: '/payments',
  Paperless: '/paperless',
  AutoPay: '/autopay',
  ACHRejects: '/ach-rejects',
};
const MONEY: readonly Action[] = ['Payment', 'ACHRejects'];
const ms = (duration: number): string => `${duration}ms`;

/** How a biller speaks does not change; what it lets in does with the version. */
export function documentOf(profile: BillerProfile, dice: Dice): BillerDocument {
  const { billerId, version, capability, windows } = profile;
  const about = `speech of ${billerId}`;
  const format = dice.pick<BodyFormat>(['json', 'json', 'json', 'xml', 'form'], `${about} format`);
  const headers = { [VERSION_HEADER]: version };
  return {
    BillerID: billerId,
    NameTemplate: profile.nameTemplate,
    Vendor: profile.vendor,
    IntegrationClass: format === 'xml' ? 'RestXml' : 'RestJson',
    Mode: 'Realtime',
    Tenant: profile.tenant,
    Actions: profile.actions,
    Constraints: {
      ...(profile.constraints.allowedInvoiceTypes && { AllowedInvoiceTypes: profile.constraints.allowedInvoiceTypes }),
      SkipNOCs: profile.constraints.skipNocs,
    },
    Rollout: profile.rollout,
    BaseUrl: `https://biller-${billerId}.example/v1`,
    Authentication: authenticationOf(profile, dice),
    Requests: Object.fromEntries(
      ACTIONS.map((action) => [action, requestOf(action, format, headers, dice.fraction(`${about} memo`) < 0.5)]),
    ),
    Answers: [
      { Status: 201, Outcome: 'accepted' },
      { Status: 200, When: "body.status = 'accepted'", Outcome: 'accepted' },
      { Status: 422, When: "body.status = 'declined' and $exists(body.code)", Outcome: 'declined' },
      { Status: 410, Outcome: 'declined' },
      { Status: 503, When: "body.code = 'maintenance'", Outcome: 'not-executed' },
      { Status: 502, Outcome: 'unknown' },
    ],
    Reference: 'body.reference',
    Code: 'body.code',
    ...(capability.keys && {
      Idempotency: {
        Header: KEY_HEADER,
        Retention: ms(capability.keys.retentionMs),
        Margin: ms(capability.keys.marginMs),
      },
    }),
    ...(capability.inquiry && {
      StatusInquiry: inquiryOf(headers, capability.inquiry.lagMs, dice.fraction(`${about} amount`) < 0.5),
    }),
    Timeout: ms(profile.timeoutMs),
    Quarantine: ms(profile.quarantineMs),
    Limits: {
      Concurrency: profile.limits.concurrency,
      ...(profile.limits.perSecond !== undefined && { PerSecond: profile.limits.perSecond }),
    },
    RetrySchedule: retryOf(profile.retry),
    Breaker: { FailuresToOpen: profile.breaker.failuresToOpen, Open: ms(profile.breaker.openMs) },
    ...(windows.length > 0 && {
      Windows: windows.map(({ days, from, to, timeZone }) => ({ Days: days, From: from, To: to, TimeZone: timeZone })),
    }),
  };
}

/** Most have tokens, and ask for another scope with another version. */
function authenticationOf({ billerId, version }: BillerProfile, dice: Dice): AuthenticationDocument {
  switch (dice.pick(['token', 'token', 'token', 'key', 'basic'], `credentials of ${billerId}`)) {
    case 'token': {
      const scope = dice.pick([undefined, 'pay', 'pay report'], `scope of ${billerId} ${version}`);
      return {
        Kind: 'OAuth2ClientCredentials',
        TokenUrl: TOKEN_URL,
        ClientIdSecret: 'client-id',
        ClientSecretSecret: 'client-secret',
        ...(scope !== undefined && { Scope: scope }),
      };
    }
    case 'key':
      return { Kind: 'ApiKey', Header: API_KEY_HEADER, KeySecret: `key-of-${billerId}` };
    default:
      return { Kind: 'Basic', UserSecret: `user-of-${billerId}`, PasswordSecret: `password-of-${billerId}` };
  }
}

/** A customer without an address for mail cannot be told of here: such a request cannot be built. */
function requestOf(
  action: Action,
  format: BodyFormat,
  headers: Readonly<Record<string, string>>,
  memo: boolean,
): RequestDocument {
  const members = [
    '"reference": record.key',
    '"account": customer.accountNumber',
    '"mail": customer.email',
    '"name": customer.name',
    '"requestId": idempotencyKey',
    ...(MONEY.includes(action) ? ['"amount": payment.amount', '"currency": payment.currency'] : []),
    // No plain expression: it is evaluated as JSONata does it.
    ...(memo ? ['"memo": $uppercase(record.dataType)'] : []),
  ];
  return {
    Method: 'POST',
    Path: PATHS[action],
    Headers: headers,
    Format: format,
    ...(format === 'xml' && { RootElement: 'Order' }),
    Body: `{ ${members.join(', ')} }`,
  };
}

const inquiryOf = (headers: Readonly<Record<string, string>>, lagMs: number, minor: boolean): InquiryDocument => ({
  Method: 'GET',
  Path: '/status?reference={record.key}',
  Headers: headers,
  Answers: [
    { Status: 200, When: "body.state = 'posted'", Answer: 'delivered' },
    { Status: 200, When: "body.state = 'declined'", Answer: 'declined' },
    { Status: 200, When: "body.state = 'pending'", Answer: 'pending' },
    { Status: 404, When: "body.state = 'absent'", Answer: 'absent' },
    { Status: 409, Answer: 'cannot-tell' },
  ],
  Reference: 'body.reference',
  ...(minor ? { AmountMinorUnits: 'body.minorUnits' } : { Amount: 'body.amount' }),
  Lag: ms(lagMs),
});

function retryOf(retry: RetrySchedule): RetryDocument {
  if (retry.kind === 'fixed') return { Kind: 'Fixed', Waits: retry.waitsMs.map(ms), MaxAge: ms(retry.maxAgeMs) };
  return {
    Kind: 'Exponential',
    Initial: ms(retry.initialMs),
    Factor: retry.factor,
    Max: ms(retry.maxMs),
    Jitter: retry.jitter,
    AttemptsMax: retry.attemptsMax,
    MaxAge: ms(retry.maxAgeMs),
  };
}
