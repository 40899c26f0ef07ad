import { type SettingKey, type Settings } from './declarations';
import { type SettingProblem } from './setting-problem';
import { stackProblems } from './stack-checks';

/** What a consumer needs inside one lock beside the permit wait and the call itself: loading, the token, two appends. */
export const LOCK_MARGIN_SECONDS = 5;

/** Settings that are fine alone and wrong together. */
export function crossCheck(settings: Settings, where: (key: SettingKey) => string): readonly SettingProblem[] {
  const problems: SettingProblem[] = [];
  const demand = (holds: boolean, key: SettingKey, expected: string) => {
    if (!holds) problems.push({ key, found: settings[key], expected, where: where(key) });
  };
  demand(
    settings['Scanner:MaxChunkSize'] <= settings['Scanner:ClaimRowsMax'],
    'Scanner:MaxChunkSize',
    `at most Scanner:ClaimRowsMax (${settings['Scanner:ClaimRowsMax']})`,
  );
  demand(
    settings['Sweep:AfterMinutes'] * 60 > settings['Bus:LockSeconds'],
    'Sweep:AfterMinutes',
    `longer than Bus:LockSeconds (${settings['Bus:LockSeconds']} s), or the sweep doubles messages that are being worked on`,
  );
  demand(
    settings['Consumer:PermitWaitSeconds'] + LOCK_MARGIN_SECONDS < settings['Bus:LockSeconds'],
    'Consumer:PermitWaitSeconds',
    `shorter than Bus:LockSeconds (${settings['Bus:LockSeconds']} s) less ${LOCK_MARGIN_SECONDS} s`,
  );
  const production = settings['Environment:Name'] === 'production';
  demand(
    !production || !settings['Billers:AllowPlainLoopback'],
    'Billers:AllowPlainLoopback',
    'false where Environment:Name is production',
  );
  const authority = settings['Auth:Authority'];
  const plainAllowed =
    settings['Billers:AllowPlainLoopback'] && authority !== '' && isLoopback(new URL(authority).hostname);
  demand(
    !authority.startsWith('http:') || plainAllowed,
    'Auth:Authority',
    'https, or http to this machine where Billers:AllowPlainLoopback is true',
  );
  problems.push(...stackProblems(settings, where));
  return problems;
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
