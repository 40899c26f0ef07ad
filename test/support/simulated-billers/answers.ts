import { maskCardData } from '../../../src/domain/policies/card-data';
import { type InquiryAnswer } from '../../../src/domain/policies/in-doubt-resolution';
import { type CallOutcome } from '../../../src/domain/policies/delivery-outcome';

export interface SimulatedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string;
}

export interface KnownAnswer {
  readonly answer: SimulatedAnswer;
  /** What it means by RULES, as a person reads them. A throttle names the wait it asks for. */
  readonly outcome: CallOutcome;
  /** Whether an honest biller that says so has carried the request out. */
  readonly effect: 'yes' | 'no' | 'either';
  /** Whether it speaks against the next call. */
  readonly breaks: boolean;
  /** The exchange ends with the head of the answer. */
  readonly endsAtHead?: boolean;
}

/** The rules of every simulated biller. */
export const RULES = [
  { Status: 200, When: "body.status = 'accepted'", Outcome: 'accepted' },
  { Status: 201, Outcome: 'accepted' },
  { Status: 202, When: "body.status = 'pending'", Outcome: 'unknown' },
  { Status: 422, When: "body.status = 'declined'", Outcome: 'declined' },
  { Status: 410, Outcome: 'declined' },
  { Status: 401, When: "body.code = 'account-closed'", Outcome: 'declined' },
  { Status: [500, 503], When: "body.code = 'maintenance'", Outcome: 'not-executed' },
  { Status: 509, Outcome: 'throttled' },
  { Status: 504, Outcome: 'unknown' },
];

const JSON_TYPE = { 'content-type': 'application/json' };
const CUT = '{"status":"accepted","refer';

const of = (
  status: number,
  body: string,
  outcome: CallOutcome,
  effect: KnownAnswer['effect'],
  more: { breaks?: boolean; headers?: SimulatedAnswer['headers']; endsAtHead?: boolean } = {},
): KnownAnswer => ({
  answer: { status, headers: more.headers ?? JSON_TYPE, body },
  outcome,
  effect,
  breaks: more.breaks ?? false,
  ...(more.endsAtHead && { endsAtHead: true }),
});

const unclear = (
  status: number,
  body: string,
  code: string,
  more: {
    breaks?: boolean;
    byRule?: boolean;
    malformed?: boolean;
    headers?: Record<string, string>;
    type?: string;
  } = {},
): KnownAnswer => {
  const headers = more.headers ?? JSON_TYPE;
  const type = more.headers ? more.type : 'application/json';
  return of(
    status,
    body,
    {
      kind: 'unknown',
      code,
      answer: {
        httpStatus: status,
        byRule: more.byRule ?? false,
        wellFormed: !more.malformed,
        ...(type !== undefined && { contentType: type }),
        ...(body !== '' && { snippet: 'snippet' }),
      },
    },
    'either',
    { breaks: more.breaks ?? false, headers },
  );
};

const failed = (
  status: number,
  code: string,
  headers: Record<string, string>,
  body: string,
  endsAtHead: boolean,
): KnownAnswer => of(status, body, { kind: 'unknown', code }, 'either', { breaks: true, headers, endsAtHead });

const accepted = (status: number, billerReference?: string): CallOutcome => ({
  kind: 'accepted',
  httpStatus: status,
  billerReference,
});
const declined = (httpStatus: number, code?: string): CallOutcome => ({ kind: 'declined', httpStatus, code });
const notExecuted = (code: string): CallOutcome => ({ kind: 'not-executed', code });
const BYTES_MAX = 256 * 1024;

export const UNAUTHORIZED: readonly KnownAnswer[] = [
  of(401, '{"code":"token-expired"}', notExecuted('unauthorized'), 'no'),
  of(401, CUT, notExecuted('unauthorized'), 'no'),
  of(401, '', notExecuted('unauthorized'), 'no', { headers: {} }),
  of(401, '{"code":"account-closed"}', declined(401, 'account-closed'), 'no'),
];

/** A card number is no reference. */
const MASKED = maskCardData('4111 1111 1111 1111');

export const SETTLED: readonly KnownAnswer[] = [
  of(200, '{"status":"accepted","reference":"R-1"}', accepted(200, 'R-1'), 'yes'),
  of(200, '{"status":"accepted","reference":71}', accepted(200, '71'), 'yes', { headers: {} }),
  of(201, '{"reference":"R-2"}', accepted(201, 'R-2'), 'yes'),
  of(200, JSON.stringify({ status: 'accepted', reference: 'r'.repeat(200) }), accepted(200, 'r'.repeat(128)), 'yes'),
  of(200, JSON.stringify({ status: 'accepted', reference: { id: 7 } }), accepted(200), 'yes'),
  of(200, JSON.stringify({ status: 'accepted', reference: ' ' }), accepted(200), 'yes'),
  of(200, JSON.stringify({ status: 'accepted', reference: ' 4111 1111 1111 1111 ' }), accepted(200, MASKED), 'yes'),
  of(201, '', accepted(201), 'yes', { headers: {} }),
  of(201, 'Thank you', accepted(201), 'yes', { headers: { 'content-type': 'text/plain' } }),
  of(422, '{"status":"declined","code":"no-such-account"}', declined(422, 'no-such-account'), 'no'),
  of(410, '', declined(410), 'no'),
  of(503, '{"code":"maintenance"}', notExecuted('maintenance'), 'no'),
  of(500, '{"code":"maintenance"}', notExecuted('maintenance'), 'no'),
];

export const UNCLEAR: readonly KnownAnswer[] = [
  unclear(200, CUT, 'body-malformed', { malformed: true, breaks: true }),
  unclear(201, CUT, 'body-malformed', { malformed: true, breaks: true }),
  unclear(410, CUT, 'body-malformed', { malformed: true, breaks: true }),
  unclear(422, CUT, 'body-malformed', { malformed: true, breaks: true }),
  unclear(503, '{"code":"maintenance"', 'body-malformed', { malformed: true, breaks: true }),
  unclear(201, '{"status":"accepted"}', 'body-malformed', {
    malformed: true,
    breaks: true,
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    type: 'application/json',
  }),
  unclear(201, '<a><b></a>', 'body-malformed', {
    malformed: true,
    breaks: true,
    headers: { 'content-type': 'Application/XML; charset=utf-8' },
    type: 'application/xml',
  }),
  unclear(200, '', 'http-200'),
  unclear(200, '{}', 'http-200'),
  unclear(200, '{"status":"ACCEPTED"}', 'http-200'),
  unclear(200, '<html>accepted</html>', 'http-200', { headers: { 'content-type': 'text/html' }, type: 'text/html' }),
  unclear(202, '{"status":"pending"}', 'http-202', { byRule: true }),
  unclear(202, '{"status":"pending","code":"queued"}', 'queued', { byRule: true }),
  unclear(204, '', 'http-204'),
  unclear(404, '{}', 'http-404', { breaks: true }),
  unclear(409, '{"code":"used"}', 'key-conflict', { breaks: true }),
  unclear(422, '{"status":"accepted"}', 'http-422', { breaks: true }),
  unclear(500, '{"code":"failed"}', 'http-500', { breaks: true }),
  unclear(503, '', 'http-503', { breaks: true }),
  unclear(504, '', 'http-504', { byRule: true, breaks: true }),
  failed(302, 'redirected', { location: 'https://elsewhere.example/' }, '', true),
  failed(300, 'redirected', {}, '', true),
  failed(304, 'redirected', {}, '', true),
  failed(399, 'redirected', {}, '', true),
  failed(200, 'body-too-large', { ...JSON_TYPE, 'content-length': String(BYTES_MAX + 1) }, 'x', true),
  failed(200, 'body-too-large', JSON_TYPE, 'x'.repeat(BYTES_MAX + 1), false),
];

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const FAR = 2_000_000_000;

/** How many shapes of Retry-After there are. */
export const RETRY_SHAPES = 22;

/** Retry-After in every shape, and the milliseconds that it asks for at `nowMs`; 0: nothing. */
export function retryShapes(nowMs: number): readonly (readonly [string | string[] | undefined, number])[] {
  const http = (ms: number): string => new Date(nowMs + ms).toUTCString();
  const asked = (ms: number): number => Math.max(0, Math.floor((nowMs + ms) / 1_000) * 1_000 - nowMs);
  const [, day, month, year, clock] = http(90_000).split(' ') as [string, string, string, string, string];
  const weekday = WEEKDAYS[new Date(nowMs + 90_000).getUTCDay()]!;
  return [
    [undefined, 0],
    ['', 0],
    ['soon', 0],
    ['0', 0],
    ['-5', 0],
    ['1.5', 0],
    ['7, soon', 0],
    ['1', 1_000],
    ['90', 90_000],
    ['0007', 7_000],
    ['3600', 3_600_000],
    ['3601', 3_601_000],
    ['999999999', 999_999_999_000],
    ['9'.repeat(40), Number.MAX_SAFE_INTEGER],
    ['0'.repeat(30) + '4', 4_000],
    ['1'.repeat(300), 0],
    [['3', '5'], 5_000],
    [http(-60_000), 0],
    [http(90_000), asked(90_000)],
    [`${weekday}, ${day}-${month}-${year.slice(2)} ${clock} GMT`, asked(90_000)],
    [`${http(20_000)}, 30`, 30_000],
    [http(FAR), asked(FAR)],
  ];
}

export const throttle = (status: number, header: string | string[] | undefined, asked: number): KnownAnswer =>
  of(status, '', { kind: 'throttled', retryAfterMs: asked }, 'no', {
    headers: header === undefined ? JSON_TYPE : { ...JSON_TYPE, 'retry-after': header },
  });

export const INQUIRY_RULES = [
  { Status: 200, When: "body.state = 'posted'", Answer: 'delivered' },
  { Status: 200, When: "body.state = 'declined'", Answer: 'declined' },
  { Status: 200, When: "body.state = 'pending'", Answer: 'pending' },
  { Status: 404, Answer: 'absent' },
  { Status: 409, Answer: 'cannot-tell' },
];

const told = (status: number, body: string, headers: SimulatedAnswer['headers'] = JSON_TYPE): KnownAnswer =>
  of(status, body, { kind: 'unknown', code: 'an inquiry' }, 'no', { headers });
const delivered = (body: string, billerReference: string | undefined, minorUnits?: number) =>
  [
    told(200, body),
    {
      answer: 'delivered',
      billerReference,
      amount: minorUnits === undefined ? undefined : { minorUnits, currency: 'EUR' },
    },
  ] as const;

/** What a biller says when asked, and what that means by INQUIRY_RULES. */
export const TOLD: ReadonlyMap<KnownAnswer, InquiryAnswer> = new Map<KnownAnswer, InquiryAnswer>([
  delivered('{"state":"posted","reference":"R-9","amountMinorUnits":1234}', 'R-9', 1234),
  delivered('{"state":"posted","reference":"R-9","amountMinorUnits":"99"}', 'R-9', 99),
  [told(200, '{"state":"posted"}'), { answer: 'cannot-tell' }],
  [told(200, '{"state":"posted","amountMinorUnits":{"value":1234}}'), { answer: 'cannot-tell' }],
  [told(200, '{"state":"posted","amountMinorUnits":"12.5"}'), { answer: 'cannot-tell' }],
  [told(200, '{"state":"posted","amountMinorUnits":"much"}'), { answer: 'cannot-tell' }],
  [told(200, '{"state":"declined","code":"closed"}'), { answer: 'declined', code: 'closed' }],
  [told(200, '{"state":"pending"}'), { answer: 'pending' }],
  [told(404, ''), { answer: 'absent' }],
  [told(404, '{"state":"absent"}'), { answer: 'absent' }],
  [told(409, '{}'), { answer: 'cannot-tell' }],
  [told(404, '{"state":"abs'), { answer: 'unavailable' }],
  [told(404, '{}', { 'content-encoding': 'gzip' }), { answer: 'unavailable' }],
  [told(409, '{'), { answer: 'unavailable' }],
  [told(200, '{"state":"posted"'), { answer: 'unavailable' }],
  [told(200, '{"state":"unheard of"}'), { answer: 'unavailable' }],
  [told(500, '{"state":"posted"}'), { answer: 'unavailable' }],
]);
