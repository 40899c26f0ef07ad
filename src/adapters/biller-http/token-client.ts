import { type Clock } from '../../application/ports/clock';
import { PortFailure } from '../../application/ports/failures';
import { type FetchedToken } from '../../application/ports/token-cache';
import { msOf } from '../../domain/instant';
import { waitAskedMs } from './retry-after';
import { ExchangeFailure, type HttpAnswer, type UndiciTransport } from './undici-transport';

const TOKEN_TIMEOUT_MS = 5_000;
/** RFC 6749 §5.1 makes expires_in optional. */
const EXPIRY_DEFAULT_S = 300;
/** Someone has to repair the credential; the records wait meanwhile. */
const REFUSED_RETRY_AFTER_MS = 30_000;

export interface TokenRequest {
  readonly billerId: string;
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | undefined;
}

/** OAuth 2.0 client credentials (RFC 6749 §4.4), the client known by HTTP Basic as §2.3.1 asks of every server. */
export async function fetchToken(
  transport: UndiciTransport,
  request: TokenRequest,
  clock: Clock,
): Promise<FetchedToken> {
  const facts = { billerId: request.billerId, tokenHost: new URL(request.tokenUrl).host };
  const step = `failed to get an access token for biller ${request.billerId}`;
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(request.scope !== undefined && { scope: request.scope }),
  });
  const endsAt = clock.monotonicMs() + TOKEN_TIMEOUT_MS;
  let answer: HttpAnswer;
  try {
    answer = await transport.exchange(
      {
        method: 'POST',
        url: request.tokenUrl,
        body: form.toString(),
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded',
          Authorization: basicHeader(encodeURIComponent(request.clientId), encodeURIComponent(request.clientSecret)),
        },
      },
      { remainingMs: () => endsAt - clock.monotonicMs() },
    );
  } catch (error) {
    const code = error instanceof ExchangeFailure ? error.code : 'connection-failed';
    throw new PortFailure(step, { code: 'unavailable', retryable: true, facts: { ...facts, reason: code } });
  }
  if (answer.status >= 400 && answer.status < 500 && answer.status !== 429 && answer.status !== 408) {
    throw new PortFailure(step, {
      code: 'token-refused',
      retryable: true,
      retryAfterMs: REFUSED_RETRY_AFTER_MS,
      facts: { ...facts, httpStatus: answer.status },
    });
  }
  const token = answer.status === 200 ? readToken(answer) : undefined;
  const asked = waitAskedMs(answer.headers, msOf(clock.now()));
  if (!token)
    throw new PortFailure(step, {
      code: 'unavailable',
      retryable: true,
      ...(asked !== undefined && { retryAfterMs: asked }),
      facts: { ...facts, httpStatus: answer.status },
    });
  return token;
}

export const basicHeader = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Undefined where the answer is no token answer. */
function readToken(answer: HttpAnswer): FetchedToken | undefined {
  try {
    const { access_token: value, expires_in: seconds } = JSON.parse(answer.body.toString('utf8')) as {
      access_token?: unknown;
      expires_in?: unknown;
    };
    if (typeof value !== 'string' || !/^[\x21-\x7e]{1,8192}$/.test(value)) return undefined;
    const lifetime = Number(seconds ?? EXPIRY_DEFAULT_S);
    return { value, expiresInMs: (lifetime > 0 ? lifetime : EXPIRY_DEFAULT_S) * 1_000 };
  } catch {
    return undefined;
  }
}
