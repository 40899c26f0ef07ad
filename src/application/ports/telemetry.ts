import { type CounterName, type HistogramName, type LabelsOf } from './metrics-catalogue';

/**
 * What people and machines watch.
 *
 * Laws:
 *  1  Telling decides nothing: each call returns at once, never throws, and the work is the same without it.
 *  2  A line carries the fields of LOG_FIELDS and no other: one that is not on the list is told by its name alone.
 *  3  A line that names a record carries its biller, its dpId and the trace that its spans are in.
 *  4  Of a child, each line carries what the child was given, unless the line says otherwise.
 *  5  Counts add up per name and labels; what the catalogue does not declare, and a label it does not know, is dropped.
 *  6  Series are bounded: billers above BILLERS_MAX are added up as OTHER_BILLERS.
 *  7  No card number gets into a line, neither in its message, nor in a field or an error's causes.
 */
export interface Telemetry {
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, error: unknown, fields?: Fields): void;
  /** Adds to a counter of the catalogue. */
  count<Name extends CounterName>(name: Name, by?: number, labels?: LabelsOf<Name>): void;
}

/** The same for the adapters that watch the ports; its laws are those above. */
export interface Instruments extends Telemetry {
  /** Notes one value of a histogram of the catalogue. */
  measure<Name extends HistogramName>(name: Name, value: number, labels: LabelsOf<Name>): void;
  /** Telemetry whose lines all carry these fields too. */
  child(fields: Fields): Instruments;
}

/** Ids, counts, codes and words of ours. What a person is called, owes or lives by is no field. */
export const LOG_FIELDS = [
  ...['process', 'stage', 'traceId', 'record', 'billerId', 'dpId', 'dataType', 'chunkId', 'shard', 'stream', 'attempt'],
  ...[
    'messageId',
    'deliveryCount',
    'kind',
    'status',
    'httpStatus',
    'outcome',
    'code',
    'cause',
    'reason',
    'why',
    'next',
  ],
  ...[
    'until',
    'durationMs',
    'waitMs',
    'forMs',
    'rounds',
    'rows',
    'chunks',
    'failedShards',
    'seals',
    'events',
    'witness',
  ],
  ...[
    'published',
    'rejected',
    'skipped',
    'alreadyFinished',
    'closedAs',
    'observed',
    'topic',
    'source',
    'signal',
    'port',
  ],
  ...['problems', 'fault', 'waitedSeconds', 'atMostSeconds'],
] as const;

export type LogField = (typeof LOG_FIELDS)[number];
export type Fields = Readonly<Partial<Record<LogField, string | number | boolean | undefined>>>;
