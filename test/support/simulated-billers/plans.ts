import fc from 'fast-check';
import { type KnownAnswer, RETRY_SHAPES, retryShapes, SETTLED, throttle, UNAUTHORIZED, UNCLEAR, TOLD } from './answers';
import { type Fate, type WireError } from './simulated-wire';

/** A failure and the code that a person would give it. */
export interface KnownError {
  readonly error: WireError;
  readonly code: string;
}

/** A fate whose answers are known, so that an oracle can say what it means. Times are tens of milliseconds. */
export interface Plan {
  readonly connectMs: number;
  readonly stallMs: number;
  readonly refused?: KnownError;
  readonly effect: boolean;
  readonly end:
    | { readonly kind: 'silence' }
    | { readonly kind: 'broken'; readonly afterMs: number; readonly inBody: boolean; readonly how: KnownError }
    | { readonly kind: 'queued-again'; readonly afterMs: number }
    | { readonly kind: 'answer'; readonly headMs: number; readonly bodyMs: number; readonly known: KnownAnswer }
    | { readonly kind: 'throttle'; readonly afterMs: number; readonly status: number; readonly shape: number };
}

const error = (code: string, wire: string, name?: string): KnownError => ({
  code,
  error: { code: wire, ...(name !== undefined && { name }) },
});
const REFUSED: readonly KnownError[] = [
  error('connection-refused', 'ECONNREFUSED'),
  error('dns-failed', 'ENOTFOUND'),
  error('dns-failed', 'EAI_AGAIN'),
  error('connect-timeout', 'UND_ERR_CONNECT_TIMEOUT'),
  error('connect-timeout', 'ETIMEDOUT'),
  error('tls-failed', 'CERT_HAS_EXPIRED'),
  error('tls-failed', 'DEPTH_ZERO_SELF_SIGNED_CERT'),
  error('tls-failed', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
  error('tls-failed', 'ERR_TLS_CERT_ALTNAME_INVALID'),
  error('tls-failed', 'ERR_SSL_WRONG_VERSION_NUMBER'),
  error('host-not-allowed', 'ERR_ADDRESS_REFUSED'),
  error('connection-failed', 'ECONNRESET'),
  error('connection-failed', 'EHOSTUNREACH'),
  { code: 'connection-failed', error: {} },
  { code: 'connection-failed', error: { errors: [] } },
  { code: 'connection-refused', error: { errors: [{ code: 'ECONNREFUSED' }, { code: 'ENOTFOUND' }] } },
];
const BROKEN: readonly KnownError[] = [
  error('reset', 'ECONNRESET'),
  error('reset', 'UND_ERR_SOCKET'),
  error('reset', 'ECONNREFUSED'),
  error('reset', 'CERT_HAS_EXPIRED'),
  { code: 'reset', error: {} },
  error('answer-malformed', 'HPE_INVALID_CONSTANT'),
  error('answer-malformed', 'HPE_INVALID_VERSION', 'HTTPParserError'),
  { code: 'answer-malformed', error: { name: 'HTTPParserError' } },
  error('answer-malformed', 'UND_ERR_HEADERS_OVERFLOW'),
  error('answer-malformed', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'),
];

const tens = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: max / 10 }).map((ten) => ten * 10);
const delay = fc.oneof({ weight: 4, arbitrary: tens(200) }, { weight: 1, arbitrary: tens(12_000) });
const answered = (known: readonly KnownAnswer[]): fc.Arbitrary<Plan['end']> =>
  fc.record({
    kind: fc.constant('answer' as const),
    headMs: delay,
    bodyMs: delay,
    known: fc.constantFrom(...known),
  });

const end: fc.Arbitrary<Plan['end']> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ kind: 'silence' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('broken' as const),
      afterMs: delay,
      inBody: fc.boolean(),
      how: fc.constantFrom(...BROKEN),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('queued-again' as const), afterMs: delay }) },
  { weight: 5, arbitrary: answered(SETTLED) },
  { weight: 6, arbitrary: answered(UNAUTHORIZED) },
  { weight: 6, arbitrary: answered(UNCLEAR) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('throttle' as const),
      afterMs: delay,
      status: fc.constantFrom(429, 429, 509),
      shape: fc.integer({ min: 0, max: RETRY_SHAPES - 1 }),
    }),
  },
);

/** Who has given up on a connection does not notice that the process is held up for it. */
const SHORT_MS = 200;

const planOf = (ends: fc.Arbitrary<Plan['end']>): fc.Arbitrary<Plan> =>
  fc
    .record(
      {
        connectMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: delay }),
        stallMs: fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(60_000) }),
        refused: fc.option(fc.constantFrom(...REFUSED), { nil: undefined, freq: 6 }),
        effect: fc.boolean(),
        end: ends,
      },
      { requiredKeys: ['connectMs', 'stallMs', 'effect', 'end'] },
    )
    .map((plan) => ({ ...plan, stallMs: plan.connectMs > SHORT_MS ? 0 : plan.stallMs })) as fc.Arbitrary<Plan>;

export const plan = planOf(end);
/** Of an inquiry. */
export const inquiryPlan = planOf(
  fc.oneof({ weight: 3, arbitrary: answered([...TOLD.keys()]) }, { weight: 1, arbitrary: end }),
);

const token = (status: number, body: string): KnownAnswer => ({
  ...SETTLED[0]!,
  answer: { status, headers: {}, body },
});
const GOOD = token(200, '{}');
const JUNK = [
  token(200, '{}'),
  token(200, '{"access_token":7}'),
  token(200, '{"access_token":""}'),
  token(200, '{"access_token":"two words"}'),
  token(200, '{"access_token":"never-iss'),
  token(200, `{"access_token":"${'x'.repeat(8_193)}"}`),
  token(200, 'null'),
  token(201, '{"access_token":"never-issued","expires_in":3600}'),
  ...[400, 401, 403, 408, 499, 500, 503].map((status) => token(status, '{"access_token":"never-issued"}')),
];
/** RFC 6749 makes expires_in optional; without a usable one a token is taken to live for five minutes. */
const LIFETIMES = [
  { written: 3_600, ms: 3_600_000 },
  { written: '120', ms: 120_000 },
  { written: 60, ms: 60_000 },
  { written: 1, ms: 1_000 },
  { written: undefined, ms: 300_000 },
  { written: null, ms: 300_000 },
  { written: 0, ms: 300_000 },
  { written: -60, ms: 300_000 },
  { written: 'long', ms: 300_000 },
];

/** What a token endpoint does, and how long the token lives that it issues; undefined: it issues none. */
export interface TokenPlan {
  readonly plan: Plan;
  readonly lifetime: { readonly written: unknown; readonly ms: number } | undefined;
}

export const tokenPlan: fc.Arbitrary<TokenPlan> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ plan: planOf(answered([GOOD])), lifetime: fc.constantFrom(...LIFETIMES) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      plan: planOf(fc.oneof(answered(JUNK), end)),
      lifetime: fc.constant(undefined),
    }),
  },
);

/** An answer's times and meaning; a throttle's header is written for the moment at which it arrives. */
export function answerOf(
  { connectMs, end }: Plan,
  nowMs: number,
): { headMs: number; bodyMs: number; known: KnownAnswer } | undefined {
  if (end.kind === 'answer') return end;
  if (end.kind !== 'throttle') return undefined;
  const [header, asked] = retryShapes(nowMs + connectMs + end.afterMs)[end.shape]!;
  return { headMs: end.afterMs, bodyMs: 0, known: throttle(end.status, header, asked) };
}

/** As the wire plays it. An honest biller has carried out what it accepts, and has not carried out what it refuses. */
export function fateOf(plan: Plan, nowMs: number): Fate {
  const answered = answerOf(plan, nowMs);
  const effect =
    answered === undefined || answered.known.effect === 'either' ? plan.effect : answered.known.effect === 'yes';
  const { end } = plan;
  return {
    connectMs: plan.connectMs,
    stallMs: plan.stallMs,
    ...(plan.refused && { refused: plan.refused.error }),
    ...(effect && { effectMs: 0 }),
    then: answered
      ? { kind: 'answer', headMs: answered.headMs, bodyMs: answered.bodyMs, answer: answered.known.answer }
      : end.kind === 'broken'
        ? { kind: 'broken', afterMs: end.afterMs, inBody: end.inBody, error: end.how.error }
        : (end as Fate['then']),
  };
}
