/*
 * The checker's own reading of the histories. It shares no code with the pipeline on purpose: a mistake in the
 * domain's folding must not be repeated by what checks it.
 */

export interface RawEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly position: number;
  /** By the shard's clock. */
  readonly at: string;
}

export interface FoldedRecord {
  readonly status: string;
  readonly attempt: number | undefined;
  readonly reconciledAs: string | undefined;
  readonly redrives: number;
  /** Until then nothing may be called, by the shard's clock; undefined: nothing but a gate is waited for. */
  readonly dueAt: string | undefined;
  /** Steps no record may take, in words. */
  readonly faults: readonly string[];
}

const STATUS_AFTER: Readonly<Record<string, string>> = {
  DpRecordDiscovered: 'pending',
  DpRecordValidated: 'pending',
  DpRecordParked: 'pending',
  DpRecordRetryScheduled: 'pending',
  DpRecordRedriven: 'pending',
  DpRecordRejected: 'Rejected',
  DpRecordSkipped: 'Skipped',
  DpRecordWithdrawn: 'Withdrawn',
  DpRecordHeldInDoubt: 'InDoubt',
  DpRecordDelivered: 'Delivered',
  DpRecordDeclined: 'Declined',
  DpRecordDeadLettered: 'Failed',
};
const FINAL = new Set(['Delivered', 'Declined', 'Rejected', 'Skipped', 'Withdrawn']);
/** What may follow a record held in doubt: only what its attempt's closing brings. */
const AFTER_DOUBT = new Set([
  'DpRecordDelivered',
  'DpRecordDeclined',
  'DpRecordRetryScheduled',
  'DpRecordDeadLettered',
  'DpRecordParked',
]);

/** What draws the consequence of one attempt without effect; attempt numbers never restart. */
const CONCLUDES = new Set(['DpRecordRetryScheduled', 'DpRecordDeadLettered', 'DpRecordParked']);

export const isFinal = (status: string): boolean => FINAL.has(status);

export function foldRecord(events: readonly RawEvent[]): FoldedRecord {
  let status = 'none';
  let attempt: number | undefined;
  let reconciledAs: string | undefined;
  let redrives = 0;
  let dueAt: string | undefined;
  let concluded = 0;
  const faults: string[] = [];
  for (const { type, data } of events) {
    if (type === 'DpRecordReconciled') {
      reconciledAs = String(data['status']);
      if (reconciledAs !== status) faults.push(`reconciled as ${reconciledAs} while ${status}`);
      continue;
    }
    const next = STATUS_AFTER[type];
    if (next === undefined) faults.push(`holds the unknown event ${type}`);
    if ((status === 'none') !== (type === 'DpRecordDiscovered')) faults.push(`${type} while ${status}`);
    if (FINAL.has(status)) faults.push(`left its end ${status} by ${type}`);
    if (status === 'Failed' && type !== 'DpRecordRedriven' && data['cause'] !== 'history-lost')
      faults.push(`left the dead letters by ${type}`);
    if (status === 'InDoubt' && !AFTER_DOUBT.has(type) && data['cause'] !== 'history-lost')
      faults.push(`left doubt by ${type}`);
    if (type === 'DpRecordRedriven') redrives++;
    if (type === 'DpRecordRedriven' && (status !== 'Failed' || data['ordinal'] !== redrives))
      faults.push(`redriven as ${String(data['ordinal'])} while ${status}`);
    if (CONCLUDES.has(type) && typeof data['attempt'] === 'number') {
      if (data['attempt'] <= concluded)
        faults.push(`${type} of attempt ${data['attempt']} after attempt ${concluded} was concluded`);
      concluded = data['attempt'];
    }
    if (typeof data['attempt'] === 'number') attempt = data['attempt'];
    reconciledAs = undefined;
    dueAt = dueAfter(type, data, dueAt);
    status = next ?? status;
  }
  return { status, attempt, reconciledAs, redrives, dueAt, faults };
}

/** A retry and a throttle name a time; so does a park, but a gate may open earlier. What waits while it is parked waits on. */
function dueAfter(type: string, data: RawEvent['data'], before: string | undefined): string | undefined {
  if (type === 'DpRecordRetryScheduled') return String(data['at']);
  if (type === 'DpRecordParked') return data['cause'] === 'throttled' ? String(data['until']) : before;
  return undefined;
}

export interface FoldedAttempt {
  readonly started: Readonly<Record<string, unknown>> | undefined;
  readonly resends: number;
  readonly ownedUntil: string;
  /** accepted, declined or not-executed; undefined while open. */
  readonly closedAs: string | undefined;
  readonly closedAtPosition: number;
  readonly suspected: boolean;
  /** It was not executed though it reached the biller or tried to. */
  readonly costsTry: boolean;
  /** Deeds that had to wait for the quarantine: when each was done, and until when its call was owned then. */
  readonly afterQuarantine: readonly { readonly what: string; readonly at: string; readonly ownedUntil: string }[];
  readonly faults: readonly string[];
}

const CLOSINGS: Readonly<Record<string, string>> = {
  DeliveryAttemptAccepted: 'accepted',
  DeliveryAttemptDeclined: 'declined',
  DeliveryAttemptThrottled: 'not-executed',
  DeliveryAttemptNotExecuted: 'not-executed',
  DeliveryAttemptNotSent: 'not-executed',
};

export function foldAttempt(events: readonly RawEvent[]): FoldedAttempt {
  let started: FoldedAttempt['started'];
  let ownedUntil = '';
  let resends = 0;
  let closedAs: string | undefined;
  let closedAtPosition = 0;
  let suspected = false;
  let costsTry = false;
  const faults: string[] = [];
  const afterQuarantine: FoldedAttempt['afterQuarantine'][number][] = [];
  events.forEach(({ type, data, position, at }, index) => {
    if ((index === 0) !== (type === 'DeliveryAttemptStarted')) faults.push(`${type} stands at ${index}`);
    if (type === 'DeliveryAttemptStarted') started = data;
    if (type === 'DeliveryAttemptResent') resends++;
    const stated =
      type === 'DeliveryAttemptResent'
        ? String(data['at'])
        : type.startsWith('DeliveryAttemptResolvedBy') && data['outcome'] === 'not-executed'
          ? at
          : undefined;
    if (stated !== undefined) afterQuarantine.push({ what: type, at: stated, ownedUntil });
    if (type === 'DeliveryAttemptStarted' || type === 'DeliveryAttemptResent')
      ownedUntil = ownedUntil > String(data['notAfter']) ? ownedUntil : String(data['notAfter']);
    if (type === 'DoublePostSuspected') suspected = true;
    const closing = type.startsWith('DeliveryAttemptResolvedBy') ? String(data['outcome']) : CLOSINGS[type];
    if (closing !== undefined) {
      if (closedAs !== undefined) faults.push(`is closed twice, by ${type} again`);
      // The answer to one call says nothing of a later one: only whoever looked after the resend may deny its effect.
      if (resends > 0 && CLOSINGS[type] === 'not-executed')
        faults.push(`is closed by ${type} though it was sent again`);
      closedAs = closing;
      costsTry =
        closing === 'not-executed' &&
        type !== 'DeliveryAttemptThrottled' &&
        (type !== 'DeliveryAttemptNotSent' || data['code'] !== undefined);
      closedAtPosition = position;
    }
  });
  return { started, resends, ownedUntil, closedAs, closedAtPosition, suspected, costsTry, afterQuarantine, faults };
}
