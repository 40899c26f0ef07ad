import { DATA_TYPES } from '../../domain/biller/data-type';
import { type DeadLetterReason, type DoubtCause, type ParkCause } from '../../domain/dp-record/dp-record.events';
import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { type PortFailureCode } from './failures';

/**
 * What a label may say: one of these words, or `open`: a biller's id, of which BILLERS_MAX have series of their own, or
 * something that configuration and code bound (a shard, a currency, a failure code).
 */
export type LabelValues = readonly string[] | 'open';

export interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** As UCUM spells it: `s` for seconds, `{record}` for things that are counted. */
  readonly unit: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  readonly help: string;
  /** Who tells it; another process has no such series. */
  readonly by: 'scanner' | 'fetcher' | 'consumer' | 'every process';
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
  /** It exists on this stack alone. */
  readonly stack?: 'service-bus';
}

/** Billers with series of their own, one process told; all others are added up in one series, so that no installation floods its monitor. */
export const BILLERS_MAX = 100;
/** The label of all billers above BILLERS_MAX. */
export const OTHER_BILLERS = 'other';

type Rest = Omit<Metric, 'type' | 'labels'>;
const counter = <const Labels extends Metric['labels']>(labels: Labels, rest: Rest) =>
  ({ type: 'counter', labels, ...rest }) as const;
const gauge = <const Labels extends Metric['labels']>(labels: Labels, rest: Rest) =>
  ({ type: 'gauge', labels, ...rest }) as const;
const histogram = <const Labels extends Metric['labels']>(labels: Labels, rest: Rest) =>
  ({ type: 'histogram', labels, ...rest }) as const;

/** `unknown`: the message of a biller's record did not say its type. */
const data_type = [...DATA_TYPES, 'unknown'] as const;
const biller = 'open' as const;
const queue = ['chunks', 'records', 'notices'] as const;

const OUTCOMES = [
  'accepted',
  'declined',
  'throttled',
  'not-executed',
  'not-sent',
  'unknown',
] as const satisfies readonly CallOutcome['kind'][];
const PARK_CAUSES = [
  'biller-paused',
  'outside-window',
  'breaker-open',
  'allowance-used-up',
  'token-unavailable',
  'profile-missing',
  'throttled',
  'attempt-open',
  'doubt-unresolved',
] as const satisfies readonly ParkCause[];
const DEAD_LETTER_REASONS = [
  'AttemptsUsedUp',
  'TooOld',
  'DeadLetteredByBroker',
  'CannotPrepare',
  'IdentityConflict',
] as const satisfies readonly DeadLetterReason[];
const DOUBT_CAUSES = [
  'neither-inquiry-nor-keys',
  'key-retention-over',
  'another-amount',
  'inquiry-cannot-tell',
  'inquiry-contradicts-itself',
  'inquiry-unavailable',
  'still-pending',
  'bytes-changed',
  'resends-used-up',
  'history-lost',
] as const satisfies readonly DoubtCause[];
const FAILURE_CODES: readonly string[] = Object.keys({
  'storage-full': true,
  'storage-busy': true,
  'storage-broken': true,
  'storage-damaged': true,
  'storage-foreign': true,
  'storage-exposed': true,
  'storage-from-newer-version': true,
  'storage-from-older-version': true,
  'storage-replaced': true,
  'history-lost': true,
  'connection-lost': true,
  'timed-out': true,
  unavailable: true,
  'not-authorized': true,
  'not-allowed': true,
  'not-found': true,
  'lock-lost': true,
  'message-too-large': true,
  'secret-missing': true,
  'profile-invalid': true,
  'profile-missing': true,
  'request-unbuildable': true,
  'token-refused': true,
  closed: true,
} satisfies Record<PortFailureCode, true>);
const RESULTS = ['delivered', 'declined', 'rejected', 'skipped', 'withdrawn', 'dead-lettered', 'in-doubt'] as const;

const CALL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
const LAG_SECONDS = [1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900, 3_600, 14_400, 86_400] as const;

/**
 * Every metric, once. A series is named `datapump_` and the name with `_` for each dot and dash; counters end with
 * `_total`. Rules, dashboards and scaling triggers name them: renaming one breaks what people built on it.
 * docs/METRICS.md is printed from here.
 */
export const METRICS = {
  chunks: counter(
    { stage: ['claimed', 'fetched'], data_type, biller },
    { unit: '{chunk}', by: 'every process', help: 'Chunks by the stage they have passed: claimed, fetched.' },
  ),
  records: counter(
    { stage: ['claimed', 'discovered', 'called', 'reconciled'], data_type, biller },
    {
      unit: '{record}',
      by: 'every process',
      help: 'Records by the stage they have passed: claimed, discovered, called for (the first time or again), reconciled (the row says the end).',
    },
  ),
  results: counter(
    { result: RESULTS, data_type, biller },
    {
      unit: '{record}',
      by: 'every process',
      help: 'Records by their end as their stream says it; held in doubt included.',
    },
  ),
  attempts: counter(
    { outcome: OUTCOMES, data_type, biller },
    {
      unit: '{call}',
      by: 'consumer',
      help: 'Calls to billers by what they came to, those sent again in doubt included.',
    },
  ),
  'biller.call.seconds': histogram(
    { data_type, biller },
    { unit: 's', by: 'consumer', buckets: CALL_SECONDS, help: 'From the call of a biller to its outcome.' },
  ),
  retries: counter(
    { data_type, biller },
    { unit: '{record}', by: 'consumer', help: 'Attempts that came to nothing and are to be made again.' },
  ),
  parked: counter(
    { cause: PARK_CAUSES, data_type, biller },
    { unit: '{record}', by: 'consumer', help: 'Records that began to wait, once a cause, not once a look.' },
  ),
  'dead-lettered': counter(
    { reason: DEAD_LETTER_REASONS, data_type, biller },
    { unit: '{record}', by: 'consumer', help: 'Records given up, by reason: a person must look.' },
  ),
  'held-in-doubt': counter(
    { cause: DOUBT_CAUSES, data_type, biller },
    { unit: '{record}', by: 'consumer', help: 'Records held in doubt, by cause: a person must settle them.' },
  ),
  'delivery.lag.seconds': histogram(
    { data_type, biller },
    { unit: 's', by: 'consumer', buckets: LAG_SECONDS, help: 'From when a row was due to when it says Delivered.' },
  ),
  'tokens.refreshed': counter(
    { result: ['refreshed', 'failed'], biller },
    { unit: '{token}', by: 'consumer', help: "Requests for a biller's access token, by whether one was had." },
  ),
  'messages.sent': counter(
    { queue, data_type, biller },
    { unit: '{message}', by: 'every process', help: 'Messages that the broker accepted.' },
  ),
  'publish.failures': counter(
    { queue, data_type, biller },
    {
      unit: '{message}',
      by: 'every process',
      help: 'Messages of calls to the broker that failed; they are sent again.',
    },
  ),

  'eligible.rows': gauge(
    { data_type, biller },
    {
      unit: '{row}',
      by: 'scanner',
      help: 'Rows that wait to be claimed; those due after all plausible dates are left out.',
    },
  ),
  'eligible.oldest.seconds': gauge(
    { data_type, biller },
    { unit: 's', by: 'scanner', help: 'Age of the oldest row that waits to be claimed, since it was written.' },
  ),
  'under-way.rows': gauge(
    { data_type, biller },
    { unit: '{row}', by: 'scanner', help: 'Rows between their claim and their end.' },
  ),
  'dead-lettered.records': gauge(
    { data_type, biller },
    { unit: '{row}', by: 'scanner', help: 'Rows that stand dead-lettered now.' },
  ),
  'in-doubt.records': gauge(
    { data_type, biller },
    { unit: '{row}', by: 'scanner', help: 'Rows that stand held in doubt now.' },
  ),
  'in-doubt.money': gauge(
    { data_type, biller, currency: 'open' },
    {
      unit: '{currency}',
      by: 'scanner',
      help: 'Money of the rows that stand held in doubt, in whole units of its currency; a floating-point figure for alarms, not for books.',
    },
  ),
  'outbox.chunks': gauge(
    { data_type, biller },
    {
      unit: '{chunk}',
      by: 'scanner',
      help: 'Chunks in the outbox that are not published yet; at most 1,001 of each shard are counted.',
    },
  ),
  'outbox.oldest.seconds': gauge(
    { data_type, biller },
    {
      unit: 's',
      by: 'scanner',
      help: 'For how long the oldest chunk that is not published has been seen in the outbox by this process.',
    },
  ),
  'queue.messages': gauge(
    { queue, data_type, state: ['active', 'scheduled', 'dead-lettered'] },
    {
      unit: '{message}',
      by: 'scanner',
      help: 'Messages of each subscription: ready or locked, for later (where the broker tells), dead-lettered.',
    },
  ),
  'measure.age.seconds': gauge(
    {},
    {
      unit: 's',
      by: 'scanner',
      help: 'Since the last look at rows, outboxes and queues that read everything; the gauges above are so old.',
    },
  ),
  'biller.paused': gauge({ biller }, { unit: '1', by: 'scanner', help: '1: an operator has paused the biller.' }),
  'biller.shut': gauge(
    { gate: ['breaker', 'throttle', 'credential'], biller },
    {
      unit: '1',
      by: 'consumer',
      help: '1: this process calls the biller no more for now: its breaker is open, it asked to slow down, or its credential cannot be had.',
    },
  ),
  'event-loop.delay.seconds': gauge(
    { statistic: ['mean', 'p99', 'max'] },
    { unit: 's', by: 'every process', help: 'How late the event loop was in the last whole quarter of a minute.' },
  ),
  'process.last-success.seconds': gauge(
    {},
    {
      unit: 's',
      by: 'every process',
      help: 'Since the last receive or scan that succeeded; since the start where none has.',
    },
  ),

  'scanner.rows-claimed': counter(
    { shard: 'open' },
    { unit: '{row}', by: 'scanner', help: 'Rows claimed of each shard.' },
  ),
  'delivery.conflicts': counter(
    {},
    {
      unit: '{conflict}',
      by: 'consumer',
      help: 'Appends that another process was faster with; everything is read again.',
    },
  ),
  'delivery.double-post-suspected': counter(
    {},
    {
      unit: '{record}',
      by: 'consumer',
      help: 'What closed an attempt and what was heard later cannot both be true: a person must look.',
    },
  ),
  'delivery.prepare-failures': counter(
    { code: FAILURE_CODES },
    {
      unit: '{request}',
      by: 'consumer',
      help: 'Requests that could not be built, or for which no credential was had, by failure code.',
    },
  ),
  'doubt.inquiries': counter(
    { answer: ['delivered', 'declined', 'absent', 'pending', 'cannot-tell', 'unavailable'] },
    { unit: '{inquiry}', by: 'consumer', help: 'Questions to billers about calls in doubt, by answer.' },
  ),
  'doubt.resends': counter(
    { outcome: OUTCOMES },
    { unit: '{call}', by: 'consumer', help: 'Calls sent again under the same key, by what they came to.' },
  ),
  'biller.throttled': counter(
    { biller },
    { unit: '{answer}', by: 'consumer', help: 'Answers of a biller that asked to slow down.' },
  ),
  'biller.credential-failures': counter(
    { biller },
    { unit: '{request}', by: 'consumer', help: 'Times that a credential of the biller could not be had.' },
  ),
  'traces.spans': counter(
    { fate: ['exported', 'failed', 'dropped'] },
    {
      unit: '{span}',
      by: 'every process',
      help: 'Spans that the collector took, that it did not take, and that were dropped because too many waited.',
    },
  ),
  'answers.snippets-lost': counter(
    {},
    { unit: '{answer}', by: 'consumer', help: 'Masked pieces of unclear answers that could not be kept.' },
  ),
  'messages.settled': counter(
    { kind: ['complete', 'abandon', 'dead-letter'] },
    { unit: '{message}', by: 'every process', help: 'Messages that the broker was told are done with, and how.' },
  ),
  'messages.settle-failed': counter(
    { kind: ['complete', 'abandon', 'dead-letter'] },
    { unit: '{message}', by: 'every process', help: 'Messages that could not be settled; they come back.' },
  ),
  'messages.renewal-failed': counter(
    {},
    { unit: '{message}', by: 'every process', help: 'Locks of messages in hand that could not be renewed.' },
  ),
  'messages.outage-retries': counter(
    {},
    { unit: '{try}', by: 'every process', help: 'Messages held under their locks because a port fails, each look.' },
  ),
  'messages.conflict-retries': counter(
    {},
    {
      unit: '{try}',
      by: 'every process',
      help: 'Messages taken again after a conflict that their handler did not settle.',
    },
  ),
  'service-bus.connection-rebuilt': counter(
    {},
    { unit: '{connection}', by: 'every process', stack: 'service-bus', help: 'Connections to Service Bus built anew.' },
  ),
  'service-bus.receive-hung': counter(
    {},
    {
      unit: '{receive}',
      by: 'every process',
      stack: 'service-bus',
      help: 'Receives that did not end in time; their link is replaced.',
    },
  ),
  'service-bus.link-replaced': counter(
    { source: 'open' },
    { unit: '{link}', by: 'every process', stack: 'service-bus', help: 'Links to a subscription that were replaced.' },
  ),
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;
type NameOf<Type extends Metric['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];
export type CounterName = NameOf<'counter'>;
export type HistogramName = NameOf<'histogram'>;
export type GaugeName = NameOf<'gauge'>;
export type LabelsOf<Name extends MetricName> = Readonly<Record<keyof (typeof METRICS)[Name]['labels'], string>>;

/** The name of its series in Prometheus; a histogram's end with `_bucket`, `_sum` and `_count` besides. */
export function seriesName(name: MetricName): string {
  const base = `datapump_${name.replace(/[.-]/g, '_')}`;
  return METRICS[name].type === 'counter' ? `${base}_total` : base;
}

/** Every name under which Prometheus finds it. */
export function seriesNames(name: MetricName): readonly string[] {
  const series = seriesName(name);
  return METRICS[name].type === 'histogram' ? ['_bucket', '_sum', '_count'].map((part) => series + part) : [series];
}
