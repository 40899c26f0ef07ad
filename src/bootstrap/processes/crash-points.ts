/**
 * Places where a process can be made to die, for the crash test: between two steps that must not be one. Which call of
 * which port each stands before or behind, crash-test/crash-places.ts says; the supervisor passes its own two. The crash
 * test demands that each is reached.
 */
export const CRASH_POINTS = [
  'scanner.before-claim',
  'scanner.after-claim',
  'relay.before-plan',
  'relay.after-plan',
  'relay.after-publish',
  'relay.after-mark',
  'sweep.after-take',
  'sweep.after-chunks-sent',
  'sweep.after-records-sent',
  'fetcher.after-read',
  'fetcher.after-start-stated',
  'fetcher.after-one-discovered',
  'fetcher.between-rows',
  'fetcher.before-publish',
  'fetcher.after-publish',
  'fetcher.after-notices',
  'fetcher.after-statuses',
  'fetcher.after-finished-reconciled',
  'fetcher.after-published-stated',
  'fetcher.after-mark-fetched',
  'receive-loop.after-receive',
  'receive-loop.before-complete',
  'receive-loop.after-complete',
  'receive-loop.before-dead-letter',
  'receive-loop.after-dead-letter',
  'consumer.after-load',
  'consumer.after-discovered',
  'consumer.after-permit',
  'consumer.after-claim-without-call',
  'consumer.after-prepare',
  'consumer.before-start-stated',
  'consumer.after-start-stated',
  'consumer.after-send',
  'consumer.after-close',
  'consumer.after-unknown-stated',
  'consumer.before-result-row',
  'consumer.after-result-row',
  'consumer.after-result-stated',
  'consumer.after-retry-stated',
  'consumer.after-row-reopened',
  'consumer.after-park-stated',
  'consumer.before-successor',
  'consumer.after-successor',
  'consumer.after-progress-noted',
  'consumer.after-dead-letter-stated',
  'consumer.after-row-reconciled',
  'consumer.after-row-confirmed',
  'doubt.before-inquiry',
  'doubt.after-inquiry',
  'doubt.after-inquiry-closed',
  'doubt.before-resend-stated',
  'doubt.after-resend-stated',
  'doubt.after-resend',
  'doubt.after-resend-closed',
  'doubt.after-hold-stated',
  'broker-dead-letters.after-stated',
  'broker-dead-letters.after-row',
  'broker-dead-letters.after-confirmed',
  'redrive.after-receive',
  'redrive.after-opened',
  'redrive.after-row-reopened',
  'redrive.after-send',
  'redrive.after-complete',
  'resolve.before-close',
  'resolve.after-close',
  'resolve.after-row-reopened',
  'resolve.after-send',
  'supervisor.before-start',
  'supervisor.after-start',
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

let onReached: ((point: CrashPoint) => void) | undefined;

/** Does nothing, unless this process was armed at its start. */
export const crashPoint = (point: CrashPoint): void => onReached?.(point);

/** `reached` is told of every point that is passed from now on; undefined disarms. */
export function armCrashPoints(reached: ((point: CrashPoint) => void) | undefined): void {
  onReached = reached;
}
