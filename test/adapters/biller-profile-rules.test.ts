import { instantiateTemplate } from '../../src/adapters/biller-profiles/instantiate-template';
import { profileFromDocument } from '../../src/adapters/biller-profiles/profile-from-document';
import { problemText, validateProfileDocument } from '../../src/adapters/biller-profiles/validate-profile-document';
import { type BillerDocument } from '../../src/adapters/shared/biller-document/biller-document';
import { instant, plusMs } from '../../src/domain/instant';
import { LOOPBACK_RULES, template } from '../support/biller-fixtures';

const NAME = 'json-oauth2-keys-and-inquiry';
const documentOf = (overrides: Record<string, unknown>): Record<string, unknown> =>
  instantiateTemplate(template(NAME), { billerId: '12', baseUrl: 'https://api.example', overrides });
const problemsOf = (overrides: Record<string, unknown>): string[] => {
  const verdict = validateProfileDocument(documentOf(overrides), '12.json', LOOPBACK_RULES);
  return 'problems' in verdict ? verdict.problems.map(problemText) : [];
};

const accepted = { Outcome: 'accepted' };
const sound = { Status: 200, When: 'body.ok', ...accepted };
const declined = { Status: 200, When: 'body.no', Outcome: 'declined' };

describe('answer rules (issue 8, no 2)', () => {
  it.each([
    ['a catch-all above a declined rule', [{ Status: '2xx', ...accepted }, declined], ['0', '1']],
    ['a catch-all above rules of other statuses', [{ Status: '2xx', ...accepted }, { Status: 422, Outcome: 'declined' }], ['0']],
    ['a list without When above others', [{ Status: [200, 201], ...accepted }, { Status: 422, Outcome: 'declined' }], ['0']],
    ['a single status without When above its own refusal', [{ Status: 200, ...accepted }, declined], ['1']],
    ['a When that is always true', [{ Status: '2xx', When: ' true ', ...accepted }, declined], ['0', '0', '1']],
    ['a When on the status alone', [{ Status: '2xx', When: 'status >= 200', ...accepted }, declined], ['0']],
    ['a When on the status, in another spelling', [{ Status: '2xx', When: '$$.status > 0 ? true : false', ...accepted }, declined], ['0']],
    ['a refusal with a When on its status', [sound, { Status: 409, When: 'status = 409', ...accepted }], ['1']],
    ['a refusal taken for a delivery', [sound, { Status: 409, ...accepted }], ['1']],
    ['all refusals taken for deliveries', [sound, { Status: '4xx', When: 'body.ok', ...accepted }], ['1']],
    ['errors of a server among them', [sound, { Status: [200, '5xx'], ...accepted }], ['1']],
    ['an unreachable unknown', [sound, { Status: '4xx', Outcome: 'declined' }, { Status: [404, 410], Outcome: 'unknown' }], ['2']],
    ['a rule covered by two', [sound, { Status: 404, Outcome: 'declined' }, { Status: 410, Outcome: 'unknown' }, { Status: [404, 410], Outcome: 'unknown' }], ['3']],
    ['the same condition twice', [sound, { Status: 200, When: 'body.ok', Outcome: 'declined' }], ['1']],
    ['the same condition, other blanks', [{ Status: '2xx', When: "body.s = 'a'", ...accepted }, { Status: 201, When: "body.s  =  'a'", Outcome: 'unknown' }], ['1']],
  ])('%s', (_, Answers, places) =>
    expect(problemsOf({ Answers }).map((text) => /\/Answers\/(\d+)/.exec(text)![1])).toEqual(places)); // prettier-ignore

  it.each([
    [
      'a single status',
      [
        { Status: 200, ...accepted },
        { Status: 422, Outcome: 'declined' },
      ],
    ],
    ['a class as the last rule', [declined, { Status: 422, Outcome: 'declined' }, { Status: '2xx', ...accepted }]],
    ['a repetition that the biller names', [sound, { Status: 409, When: "body.code = 'duplicate'", ...accepted }]],
    ['overlapping rules with conditions', [sound, declined, { Status: '2xx', Outcome: 'unknown' }]],
    ['a catch-all unknown below', [sound, { Status: ['2xx', '4xx', '5xx'], Outcome: 'unknown' }]],
  ])('%s is sound', (_, Answers) => expect(problemsOf({ Answers })).toEqual([]));

  it('of an inquiry too', () => {
    const { StatusInquiry } = template(NAME) as { StatusInquiry: object };
    const of = (Answers: object[]) => problemsOf({ StatusInquiry: { ...StatusInquiry, Answers } });
    expect(
      of([
        { Status: '2xx', Answer: 'delivered' },
        { Status: 200, When: 'body.no', Answer: 'absent' },
      ]),
    ).toHaveLength(2);
    expect(of([{ Status: 404, Answer: 'delivered' }])).toHaveLength(1);
    expect(
      of([
        { Status: 200, When: "body.s = 'posted'", Answer: 'delivered' },
        { Status: 404, Answer: 'absent' },
      ]),
    ).toEqual([]);
  });
});

describe('durations (issue 8, no 17)', () => {
  const retry = (change: object) => ({
    RetrySchedule: { Kind: 'Fixed', Waits: ['1s'], MaxAge: '24h', ...change },
  });
  const exponential = (change: object) => ({
    RetrySchedule: { Kind: 'Exponential', Initial: '1s', Factor: 2, Max: '60s', Jitter: 0.5, AttemptsMax: 8, MaxAge: '24h', ...change },
  }); // prettier-ignore
  const keys = (change: object) => ({ Idempotency: { Header: 'K', Retention: '24h', Margin: '5m', ...change } });
  const { StatusInquiry: inquiry } = template(NAME) as { StatusInquiry: object };

  it.each([
    ['/Quarantine', { Quarantine: '0s' }],
    ['/Quarantine', { Quarantine: '0ms' }],
    ['/Quarantine', { Quarantine: '1ms' }],
    ['/Quarantine', { Quarantine: '999999999d' }],
    ['/Timeout', { Timeout: '0s' }],
    ['/Timeout', { Timeout: '1ms' }],
    ['/Timeout', { Timeout: '1h' }],
    ['/Breaker/Open', { Breaker: { FailuresToOpen: 8, Open: '999999999d' } }],
    ['/Breaker/Open', { Breaker: { FailuresToOpen: 8, Open: '0s' } }],
    ['/Idempotency/Retention', keys({ Retention: '999999999d' })],
    ['/Idempotency/Retention', keys({ Retention: '5m', Margin: '5m' })],
    ['/Idempotency/Margin', keys({ Margin: '0s' })],
    ['/Idempotency/Retention', keys({ Retention: '1h', Margin: '2h' })],
    ['/StatusInquiry/Lag', { StatusInquiry: { ...inquiry, Lag: '999999999d' } }],
    ['/StatusInquiry/Timeout', { StatusInquiry: { ...inquiry, Timeout: '0s' } }],
    ['/RetrySchedule/MaxAge', retry({ MaxAge: '0s' })],
    ['/RetrySchedule/MaxAge', retry({ MaxAge: '999999999d' })],
    ['/RetrySchedule/Waits/1', retry({ Waits: ['1s', '0s'] })],
    ['/RetrySchedule/Waits/0', retry({ Waits: ['25h'] })],
    ['/RetrySchedule/Initial', exponential({ Initial: '0ms' })],
    ['/RetrySchedule/Initial', exponential({ Initial: '2m' })],
    ['/RetrySchedule/Max', exponential({ Max: '999999999d' })],
  ])('%s: %p is refused with a reason', (path, change) => {
    const problems = problemsOf(change);
    expect(problems[0]).toMatch(new RegExp(`^12.json ${path}: .*expected.*(:|\\().*`));
    // Within its bounds, but no time is left to send again.
    expect(problems.filter((text) => !text.includes('/Idempotency/Retention'))).toHaveLength(
      path === '/Idempotency/Retention' ? 0 : 1,
    );
  });

  it('a version stored before the bounds leads no date out of the calendar', () => {
    const stored = profileFromDocument(
      documentOf({
        Quarantine: '999999999d',
        Breaker: { FailuresToOpen: 1, Open: '999999999d' },
      }) as unknown as BillerDocument,
      'v' as never,
    );
    for (const ms of [stored.quarantineMs, stored.breaker.openMs])
      expect(plusMs(instant('2026-11-20T08:00:00Z'), 2 * ms)).toMatch(/^20\d\d-/);
  });
});

describe('ids (issue 8, no 17)', () => {
  const unseen = [
    '\u200b',
    '\u200d',
    '\u2060',
    '\ufeff',
    '\u00ad',
    '\u0000',
    '\u0007',
    '\u001b',
    '\u007f',
    '\u0085',
    '\u202e',
    '\u2066',
    '\u061c',
    '\u180e',
    '\u3164',
    '\u115f',
    '\u2800',
    '\ue000',
    '\ufe0f',
    '\u00a0',
    '\u2028',
  ];
  it.each(unseen.map((char) => char.codePointAt(0)!.toString(16)))('U+%s stands in no id', (hex) => {
    const char = String.fromCodePoint(parseInt(hex, 16));
    for (const id of [char, `12${char}`, `${char}12`, `1${char}2`]) {
      expect(problemsOf({ BillerID: id })).toEqual([
        expect.stringContaining('12.json /BillerID: 1 to 56 visible characters'),
      ]);
      expect(problemsOf({ Tenant: id })).toEqual([
        expect.stringContaining('12.json /Tenant: 1 to 56 visible characters'),
      ]);
    }
  });
  it.each(['12', 'AB-1_2.c', 'Žižkov', '日本'])('%s is an id', (id) =>
    expect(problemsOf({ BillerID: id, Tenant: id })).toEqual([]),
  );
});

describe('Rollout (issue 8, no 23)', () => {
  it('shadow is refused in clear words', () =>
    expect(problemsOf({ Rollout: 'shadow' })).toEqual([
      '12.json /Rollout: live or off was expected; shadow mode does not exist yet',
    ]));
  it('an unknown one names those there are', () =>
    expect(problemsOf({ Rollout: 'dry' })).toEqual([
      '12.json /Rollout: live or off was expected; shadow mode does not exist yet',
    ]));
});
