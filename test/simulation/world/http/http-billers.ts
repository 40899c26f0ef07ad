import { type BillerDocument, type BodyFormat } from '../../../../src/adapters/shared/biller-document/biller-document';
import { type BillerProfile } from '../../../../src/domain/biller/biller-profile';
import { CANARY } from '../../checker/watch';
import { type BillerRequest, decimalOf } from '../biller-world';
import { mixed } from '../dice';
import { type CallFault } from '../faults';
import { denies, landLate } from '../late-effect';
import { type World } from '../world';
import { answerOf, BROKEN, type Fate, type HttpAnswer, malformed, type Meaning, retryAfters } from './answers';
import { API_KEY_HEADER, KEY_HEADER, VERSION_HEADER } from './documents';

export interface HttpRequestSeen {
  readonly origin: string;
  readonly path: string;
  readonly method: string;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A business request as its biller reads it, without any knowledge of how it was built. */
export interface Order {
  readonly biller: string;
  readonly record: string;
  readonly version: string;
  readonly format: BodyFormat;
  readonly amount: string | undefined;
  readonly currency: string | undefined;
  /** As the header shows it; undefined: none does. */
  readonly key: string | undefined;
  readonly requestId: string;
}

/** What an order's sender may still do with it. */
export interface Call {
  readonly attempt: string;
  readonly deadline: number;
  readonly quarantineMs: number;
}

interface Token {
  readonly scope: string;
  readonly expiresAt: number;
  revoked: boolean;
  /** The biller that was shown it first; nobody else may be. */
  shownTo: string | undefined;
}

const WAITS_S = [1, 4, 15, 60];
const LIFETIMES_S = [20, 60, 600, 3_600];
/** Longer than any request is waited for. */
const SILENCE_MS = 60_000;
const ANSWER_MAX_MS = 200;

/** The billers of a seed as servers: who is let in, what is done, what is answered, in their own words. */
export class HttpBillers {
  private readonly tokens = new Map<string, Token>();
  /** How often each secret was changed. */
  private readonly generations = new Map<string, number>();

  constructor(private readonly world: World) {}

  secret(name: string): string {
    return `${CANARY}-${name}-${this.generations.get(name) ?? 0}`;
  }

  /** An order as it arrives. */
  order(request: HttpRequestSeen, call: Call, fault: CallFault | undefined, question: number): Fate {
    const { billers } = this.world;
    const order = orderIn(request);
    const received: BillerRequest = {
      biller: order.biller,
      record: order.record,
      key: order.requestId,
      ...(order.key === undefined && { keyless: true }),
      amount: order.amount,
      currency: order.currency,
      attempt: call.attempt,
    };
    const draw = (about: number): number => mixed(mixed(question, about), this.world.timeline.now);
    if (fault === 'biller-unauthorized') this.refuse(order, request);
    if (!this.letsIn(order, request)) {
      billers.turnAway(received);
      const unheard = fault?.startsWith('biller-timeout') === true || fault?.startsWith('biller-reset') === true;
      return unheard
        ? SILENCE
        : this.answered(answerOf(401, order.format, { code: 'who' }), 'credential-refused', draw(1));
    }
    if (fault === 'biller-timeout-late-effect') {
      landLate(this.world, received, { question, deadline: call.deadline, quarantineMs: call.quarantineMs });
      return SILENCE;
    }
    const malformedWithEffect = fault === 'biller-malformed-body' && this.world.dice.fraction(draw(2)) < 0.5;
    const carriedOut =
      fault === undefined ||
      malformedWithEffect ||
      fault === 'biller-timeout-with-effect' ||
      fault.endsWith('after-effect');
    const said = carriedOut ? billers.receive(received) : undefined;
    if (!said) billers.turnAway(received);
    switch (fault) {
      case 'biller-timeout-with-effect':
      case 'biller-timeout-without-effect':
        return SILENCE;
      case 'biller-reset-before-effect':
      case 'biller-reset-after-effect':
        return this.broken(order.format, draw(3));
      case 'biller-busy':
        return this.answered(answerOf(503, order.format, { code: 'maintenance' }), 'refused', draw(1));
      case 'biller-throttled':
        return this.throttled(order.format, draw(1));
      case 'biller-500-before-effect':
      case 'biller-500-after-effect':
        return this.answered(this.pick([500, 500, 502, 503, 404], draw(4), order.format), 'unclear', draw(1));
      case 'biller-200-with-error-body':
        return this.answered(
          answerOf(this.world.dice.pick([200, 200, 202], draw(4)), order.format, { status: 'failed' }),
          'unclear',
          draw(1),
        );
      case 'biller-malformed-body':
        return this.answered(this.world.dice.pick(malformed(order.format), draw(4)), 'unclear', draw(1));
      default:
        if (said?.says === 'accepted')
          return this.answered(this.acceptance(order.format, said.reference, draw(4)), 'accepted', draw(1));
        return this.answered(
          answerOf(this.world.dice.pick([422, 422, 410], draw(4)), order.format, { status: 'declined', code: 'D1' }),
          'declined',
          draw(1),
        );
    }
  }

  /** A question after a record, as it arrives. */
  inquiry(request: HttpRequestSeen, fault: CallFault | undefined, question: number): Fate {
    const { biller, record, version } = askedIn(request);
    const draw = (about: number): number => mixed(mixed(question, about), this.world.timeline.now);
    const told = (status: number, members: Readonly<Record<string, string | number>>): Fate =>
      this.answered(answerOf(status, 'json', members), 'unclear', draw(1));
    const shape = this.world.dice.between(0, 9, draw(5));
    if (fault === 'inquiry-unavailable' && shape === 0) this.refuse({ biller, version }, request);
    if (!this.letsIn({ biller, version }, request)) return told(401, { code: 'who' });
    if (fault === 'inquiry-pending') return told(200, { state: 'pending' });
    if (fault === 'inquiry-cannot-tell') return told(409, {});
    if (fault === 'inquiry-unavailable')
      switch (shape) {
        case 1:
          return SILENCE;
        case 2:
          return this.broken('json', draw(3));
        case 3:
          return this.throttled('json', draw(1));
        case 4:
          return told(404, {});
        case 5:
          return this.answered(
            { ...answerOf(404, 'json', { state: 'absent' }), body: '{"state":"absent"' },
            'unclear',
            draw(1),
          );
        case 6:
          return this.answered({ ...answerOf(200, 'json', {}), body: '{"state":"posted","ref' }, 'unclear', draw(1));
        case 7:
          return told(302, { state: 'absent' });
        default:
          return told(500, { state: 'posted' });
      }
    const state = this.world.billers.stateOf(record, fault === 'inquiry-lags');
    if (state.says === 'declined') return told(200, { state: 'declined', code: 'D1' });
    if (state.says !== 'delivered' || denies(this.world, question)) return told(404, { state: 'absent' });
    const { reference, currency, minorUnits } = state.effect;
    const stated = minorUnits + (this.world.misreported.has(record) ? 1 : 0);
    return told(200, {
      state: 'posted',
      reference,
      ...(currency !== undefined && { minorUnits: stated, amount: decimalOf(stated, currency) }),
    });
  }

  /** A token request as it arrives. */
  token(request: HttpRequestSeen, fault: CallFault | undefined, question: number): Fate {
    const draw = (about: number): number => mixed(mixed(question, about), this.world.timeline.now);
    const { dice, timeline } = this.world;
    if (fault === 'token-silent') return SILENCE;
    if (fault === 'token-refused' && dice.fraction(draw(6)) < 0.5) this.change('client-secret');
    if (fault === 'token-unclear')
      switch (dice.between(0, 6, draw(5))) {
        case 0:
          return this.broken('json', draw(3));
        case 1:
          return this.throttled('json', draw(1));
        case 2:
          return this.answered({ ...answerOf(200, 'json', {}), body: '{"access_token":"cut' }, 'unclear', draw(1));
        case 3:
          return this.answered(answerOf(200, 'json', { token_type: 'Bearer' }), 'unclear', draw(1));
        case 4:
          return this.answered(answerOf(200, 'json', { access_token: 'of two\nlines' }), 'unclear', draw(1));
        default:
          return this.answered(answerOf(503, 'json', {}), 'unclear', draw(1));
      }
    const client = [this.secret('client-id'), this.secret('client-secret')].map(encodeURIComponent).join(':');
    const known = request.headers['authorization'] === `Basic ${Buffer.from(client).toString('base64')}`;
    if (!known || fault === 'token-refused')
      return this.answered(
        answerOf(dice.pick([400, 401, 403], draw(5)), 'json', { error: 'invalid_client' }),
        'unclear',
        draw(1),
      );
    const seconds = dice.pick(LIFETIMES_S, draw(5));
    const value = `${CANARY}.t${this.tokens.size}`;
    const scope = new URLSearchParams(request.body).get('scope') ?? '';
    this.tokens.set(value, { scope, expiresAt: timeline.now + seconds * 1_000, revoked: false, shownTo: undefined });
    const written = dice.pick([seconds, String(seconds)], draw(6));
    return this.answered(
      answerOf(200, 'json', { access_token: value, token_type: 'Bearer', expires_in: written }),
      'accepted',
      draw(1),
    );
  }

  /** What was shown is not good any more: a token is revoked, a secret changed. */
  private refuse({ biller, version }: Pick<Order, 'biller' | 'version'>, { headers }: HttpRequestSeen): void {
    const auth = this.documentOf(biller, version).Authentication;
    if (auth.Kind === 'ApiKey') return this.change(auth.KeySecret);
    if (auth.Kind === 'Basic') return this.change(auth.PasswordSecret);
    const token = this.tokens.get(bearerIn(headers));
    if (token) token.revoked = true;
  }

  private change(name: string): void {
    this.generations.set(name, (this.generations.get(name) ?? 0) + 1);
  }

  private letsIn({ biller, version }: Pick<Order, 'biller' | 'version'>, { headers }: HttpRequestSeen): boolean {
    const auth = this.documentOf(biller, version).Authentication;
    const wrong = (what: string): void => this.world.watch.violate(`credential: biller ${biller} was shown ${what}`);
    switch (auth.Kind) {
      case 'None':
        return true;
      case 'ApiKey': {
        const shown = headers[API_KEY_HEADER.toLowerCase()];
        if (!shown?.startsWith(`${CANARY}-${auth.KeySecret}-`)) wrong('a key that is none of its own');
        return shown === this.secret(auth.KeySecret);
      }
      case 'Basic': {
        const [user, password] = [this.secret(auth.UserSecret), this.secret(auth.PasswordSecret)];
        const shown = Buffer.from(headers['authorization']?.slice('Basic '.length) ?? '', 'base64').toString('utf8');
        if (!shown.startsWith(`${user}:${CANARY}-${auth.PasswordSecret}-`)) wrong('a password that is none of its own');
        return shown === `${user}:${password}`;
      }
      case 'OAuth2ClientCredentials': {
        const token = this.tokens.get(bearerIn(headers));
        if (!token) {
          wrong('a token that nobody issued');
          return false;
        }
        token.shownTo ??= biller;
        if (token.shownTo !== biller) wrong(`a token of biller ${token.shownTo}`);
        if (token.scope !== (auth.Scope ?? ''))
          wrong(`a token for "${token.scope}", its profile names "${auth.Scope ?? ''}"`);
        return !token.revoked && token.expiresAt > this.world.timeline.now;
      }
    }
  }

  private documentOf(biller: string, version: string): BillerDocument {
    const profile: BillerProfile | undefined = this.world.profiles.versions.get(`${biller} ${version}`);
    if (!profile) throw new Error(`biller ${biller} was spoken to by the version ${version}, which nobody published`);
    return profile.document as unknown as BillerDocument;
  }

  private acceptance(format: BodyFormat, reference: string, draw: number): HttpAnswer {
    switch (this.world.dice.between(0, 9, draw)) {
      case 0:
        return { status: 201, headers: {}, body: '' };
      case 1:
        return { status: 201, headers: { 'content-type': 'text/plain' }, body: 'Thank you' };
      case 2:
      case 3:
      case 4:
        return answerOf(200, format, { status: 'accepted', reference });
      default:
        return answerOf(201, format, { reference });
    }
  }

  private pick(statuses: readonly number[], draw: number, format: BodyFormat): HttpAnswer {
    return answerOf(this.world.dice.pick(statuses, draw), format, { code: 'E1' });
  }

  private broken(format: BodyFormat, draw: number): Fate {
    const { dice } = this.world;
    const error = dice.pick(BROKEN, draw, 1);
    const head = dice.fraction(draw, 2) < 0.4 ? answerOf(201, format, { reference: 'R-0' }) : undefined;
    return { is: 'broken', afterMs: dice.between(0, ANSWER_MAX_MS, draw), head, error };
  }

  private throttled(format: BodyFormat, draw: number): Fate {
    const { dice, timeline } = this.world;
    const afterMs = dice.between(1, ANSWER_MAX_MS, draw);
    const shapes = retryAfters(this.world.brokerBeginsMs + timeline.now, dice.pick(WAITS_S, draw, 3));
    const { headers, untilMs } = dice.pick(shapes, draw, 4);
    const answer = answerOf(429, format, {}, headers);
    const leaveAloneUntil = untilMs - this.world.brokerBeginsMs;
    return { is: 'answer', afterMs, bodyMs: 0, answer, means: 'throttled', leaveAloneUntil };
  }

  private answered(answer: HttpAnswer, means: Meaning, draw: number): Fate {
    const { dice } = this.world;
    const bodyMs = dice.fraction(draw, 2) < 0.2 ? dice.between(1, ANSWER_MAX_MS, draw, 3) : 0;
    return { is: 'answer', afterMs: dice.between(1, ANSWER_MAX_MS, draw), bodyMs, answer, means };
  }
}

const SILENCE: Fate = { is: 'silence', afterMs: SILENCE_MS };

const bearerIn = (headers: HttpRequestSeen['headers']): string =>
  headers['authorization']?.slice('Bearer '.length) ?? '';

const billerIn = ({ origin }: Pick<HttpRequestSeen, 'origin'>): string => /\/\/biller-(\w+)\./.exec(origin)?.[1] ?? '';

export function orderIn(request: HttpRequestSeen): Order {
  const { headers, body } = request;
  const type = headers['content-type'] ?? '';
  const format: BodyFormat = type.includes('xml') ? 'xml' : type.includes('json') ? 'json' : 'form';
  const form = format === 'form' ? new URLSearchParams(body) : undefined;
  const members = format === 'json' ? (JSON.parse(body) as Readonly<Record<string, string>>) : undefined;
  const member = (name: string): string | undefined =>
    members?.[name] ?? form?.get(name) ?? new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1];
  return {
    biller: billerIn(request),
    record: member('reference') ?? '',
    version: headers[VERSION_HEADER.toLowerCase()] ?? '',
    format,
    amount: member('amount'),
    currency: member('currency'),
    key: headers[KEY_HEADER.toLowerCase()],
    requestId: member('requestId') ?? '',
  };
}

export function askedIn(request: HttpRequestSeen): {
  readonly biller: string;
  readonly record: string;
  readonly version: string;
} {
  return {
    biller: billerIn(request),
    record: new URL(request.path, request.origin).searchParams.get('reference') ?? '',
    version: request.headers[VERSION_HEADER.toLowerCase()] ?? '',
  };
}
