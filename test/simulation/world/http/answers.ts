import { type BodyFormat } from '../../../../src/adapters/shared/biller-document/biller-document';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

/** What an answer says to whoever knows this world's billers, without the product's rules. */
export type Meaning = 'accepted' | 'declined' | 'refused' | 'credential-refused' | 'throttled' | 'unclear';

/** What becomes of a request after it has arrived. */
export type Fate =
  | { readonly is: 'silence'; readonly afterMs: number }
  | {
      readonly is: 'broken';
      readonly afterMs: number;
      readonly head: HttpAnswer | undefined;
      readonly error: WireError;
    }
  | {
      readonly is: 'answer';
      readonly afterMs: number;
      /** Its body comes so much later than its head. */
      readonly bodyMs: number;
      readonly answer: HttpAnswer;
      readonly means: Meaning;
      /** A throttle's: as the biller counts it. */
      readonly leaveAloneUntil?: number;
    };

export interface WireError {
  readonly code?: string;
  readonly name?: string;
  readonly errors?: readonly { readonly code: string }[];
}

/** A connection that does not come about: nothing has left. */
export const NOT_CONNECTED: readonly (WireError | 'silence')[] = [
  { code: 'ECONNREFUSED' },
  { code: 'ENOTFOUND' },
  { code: 'UND_ERR_CONNECT_TIMEOUT' },
  { code: 'CERT_HAS_EXPIRED' },
  { errors: [{ code: 'ECONNREFUSED' }, { code: 'ENETUNREACH' }] },
  { code: 'UND_ERR_SOCKET' },
  'silence',
];
/** A connection that breaks after the request was sent. */
export const BROKEN: readonly WireError[] = [
  { code: 'ECONNRESET' },
  { code: 'UND_ERR_SOCKET' },
  { code: 'EPIPE' },
  { code: 'HPE_INVALID_CONSTANT', name: 'HTTPParserError' },
  { code: 'ETIMEDOUT' },
  { code: 'ECONNREFUSED' },
];

const TYPE: Readonly<Record<BodyFormat, string>> = {
  json: 'application/json; charset=utf-8',
  xml: 'application/xml',
  form: 'application/json',
};
const CUT = 0.6;

/** A body of plain members. Who is posted to by a form answers in JSON. */
export function answerOf(
  status: number,
  format: BodyFormat,
  members: Readonly<Record<string, string | number>>,
  headers: HttpAnswer['headers'] = {},
): HttpAnswer {
  const body =
    format === 'xml'
      ? `<?xml version="1.0"?><Answer>${Object.entries(members)
          .map(([name, value]) => `<${name}>${value}</${name}>`)
          .join('')}</Answer>`
      : JSON.stringify(members);
  return { status, headers: { 'content-type': TYPE[format], ...headers }, body };
}

const cut = (answer: HttpAnswer): HttpAnswer => ({
  ...answer,
  body: answer.body.slice(0, Math.floor(answer.body.length * CUT)),
});
const BODY_BYTES_MAX = 256 * 1024;

/** Answers that nobody may believe, whatever their status says. */
export const malformed = (format: BodyFormat): readonly HttpAnswer[] => {
  const accepted = { status: 'accepted', reference: 'R-0' };
  return [
    cut(answerOf(201, format, accepted)),
    cut(answerOf(201, format, accepted)),
    cut(answerOf(200, format, accepted)),
    cut(answerOf(422, format, { status: 'declined', code: 'D0' })),
    cut(answerOf(410, format, { status: 'declined', code: 'D0' })),
    answerOf(201, format, accepted, { 'content-encoding': 'gzip' }),
    {
      ...answerOf(201, format, accepted),
      headers: { 'content-type': format === 'xml' ? 'application/json' : 'text/xml' },
    },
    { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>accepted</html>' },
    answerOf(200, format, accepted, { 'content-length': String(BODY_BYTES_MAX + 1) }),
    { status: 302, headers: { location: 'https://elsewhere.example/' }, body: '' },
    answerOf(204, format, {}),
  ];
};

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** Each way to write that one wants to be left alone, and until when that is; `nowMs` by the biller's clock. */
export function retryAfters(
  nowMs: number,
  seconds: number,
): readonly { readonly headers: HttpAnswer['headers']; readonly untilMs: number }[] {
  const untilMs = nowMs + seconds * 1_000;
  const of = (
    value: string | readonly string[],
    until = untilMs,
  ): { headers: HttpAnswer['headers']; untilMs: number } => ({
    headers: { 'retry-after': value },
    untilMs: until,
  });
  const at = new Date(untilMs);
  const [, day, month, year, clock] = at.toUTCString().split(' ') as [string, string, string, string, string];
  const byDate = (value: string): { headers: HttpAnswer['headers']; untilMs: number } => ({
    headers: { 'retry-after': value, date: new Date(nowMs).toUTCString() },
    untilMs: Math.floor(untilMs / 1_000) * 1_000,
  });
  return [
    of(String(seconds)),
    of(String(seconds)),
    of(`000${seconds}`),
    of(['1', String(seconds)]),
    byDate(at.toUTCString()),
    byDate(`${DAYS[at.getUTCDay()]}, ${day}-${month}-${year.slice(2)} ${clock} GMT`),
    of('soon', nowMs),
    of('0', nowMs),
    { headers: {}, untilMs: nowMs },
  ];
}
