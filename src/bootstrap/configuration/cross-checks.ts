import { type SettingKey, type Settings } from './declarations';
import { type SettingProblem } from './setting-problem';
import { type Check, STACK_CHECKS } from './stack-checks';

/** What a consumer needs inside one lock beside the permit wait and the call itself: loading, the token, two appends. */
const LOCK_MARGIN_SECONDS = 5;

/** Settings that are fine alone and wrong together, one matter a check. */
const CHECKS: readonly Check[] = [
  (settings, wrong) => {
    if (settings['Scanner:MaxChunkSize'] > settings['Scanner:ClaimRowsMax'])
      wrong('Scanner:MaxChunkSize', `at most Scanner:ClaimRowsMax (${settings['Scanner:ClaimRowsMax']})`);
  },
  (settings, wrong) => {
    if (settings['Sweep:AfterMinutes'] * 60 <= settings['Bus:LockSeconds'])
      wrong(
        'Sweep:AfterMinutes',
        `longer than Bus:LockSeconds (${settings['Bus:LockSeconds']} s), or the sweep doubles messages that are being worked on`,
      );
  },
  (settings, wrong) => {
    if (settings['Consumer:PermitWaitSeconds'] + LOCK_MARGIN_SECONDS >= settings['Bus:LockSeconds'])
      wrong(
        'Consumer:PermitWaitSeconds',
        `shorter than Bus:LockSeconds (${settings['Bus:LockSeconds']} s) less ${LOCK_MARGIN_SECONDS} s`,
      );
  },
  (settings, wrong) => {
    if (settings['Environment:Name'] === 'production' && settings['Billers:AllowPlainLoopback'])
      wrong('Billers:AllowPlainLoopback', 'false where Environment:Name is production');
  },
  (settings, wrong) => {
    const authority = settings['Auth:Authority'];
    if (!authority.startsWith('http:')) return;
    if (!settings['Billers:AllowPlainLoopback'] || !isLoopback(new URL(authority).hostname))
      wrong('Auth:Authority', 'https, or http to this machine where Billers:AllowPlainLoopback is true');
  },
  ...STACK_CHECKS,
];

/**
 * All that contradicts itself. `unread`: settings whose own value is wrong already; a check that looks at one of them
 * cannot tell, and every other is made all the same.
 */
export function crossCheck(
  settings: Settings,
  where: (key: SettingKey) => string,
  unread: ReadonlySet<string> = new Set(),
): readonly SettingProblem[] {
  return CHECKS.flatMap((check) => {
    const read = new Set<string>();
    const watched = new Proxy(settings, {
      get: (target, key) => {
        read.add(String(key));
        return target[key as SettingKey];
      },
    });
    const problems: SettingProblem[] = [];
    check(
      watched,
      (key, expected, ...found) =>
        void problems.push({ key, found: found.length > 0 ? found[0] : settings[key], expected, where: where(key) }),
    );
    return [...read].some((key) => unread.has(key)) ? [] : problems;
  });
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);

export interface LockCheck {
  readonly lockSeconds: number;
  readonly permitWaitSeconds: number;
  readonly billers: readonly { readonly billerId: string; readonly timeoutMs: number }[];
}

/**
 * A lock must outlive permit wait, call and margin, or a second consumer gets the message while the first still
 * calls. Checked where settings and profiles meet; one sentence per biller whose timeout is too long.
 */
export function lockOutlivesTimeouts({ lockSeconds, permitWaitSeconds, billers }: LockCheck): readonly string[] {
  const timeoutMaxMs = (lockSeconds - permitWaitSeconds - LOCK_MARGIN_SECONDS) * 1_000;
  return billers
    .filter(({ timeoutMs }) => timeoutMs >= timeoutMaxMs)
    .map(
      ({ billerId, timeoutMs }) =>
        `biller ${billerId}: Timeout ${timeoutMs} ms, expected less than ${timeoutMaxMs} ms ` +
        `(Bus:LockSeconds ${lockSeconds} s less Consumer:PermitWaitSeconds ${permitWaitSeconds} s and a margin of ${LOCK_MARGIN_SECONDS} s)`,
    );
}
