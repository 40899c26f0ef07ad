import type Logger from 'bunyan';
import { causeChain } from '../../application/ports/failures';
import { type CounterName, type HistogramName, type LabelsOf } from '../../application/ports/metrics-catalogue';
import { type Fields, type Instruments, LOG_FIELDS } from '../../application/ports/telemetry';
import { parseRecordKey, recordKey, chunkId } from '../../domain/identifiers';
import { maskCardData } from '../../domain/policies/card-data';
import { MetricSeries } from './metric-series';
import { traceOfChunk, traceOfRecord } from './trace-ids';

type Line = Readonly<Record<string, string | number | boolean>>;

/** Log lines by bunyan, of the fields on the list alone; counts and measures go to the series. */
export class BunyanTelemetry implements Instruments {
  constructor(
    private readonly logger: Logger,
    readonly series: MetricSeries = new MetricSeries(),
  ) {}

  info(message: string, fields: Fields = {}): void {
    if (this.logger.level() <= INFO) this.logger.info(lineOf(fields), maskCardData(message));
  }

  warn(message: string, fields: Fields = {}): void {
    this.logger.warn(lineOf(fields), maskCardData(message));
  }

  error(message: string, error: unknown, fields: Fields = {}): void {
    const more = error === undefined ? {} : { cause: causeChain(error), stack: stackOf(error) };
    this.logger.error({ ...lineOf(fields), ...more }, maskCardData(message));
  }

  count<Name extends CounterName>(name: Name, by = 1, labels: Partial<LabelsOf<Name>> = {}): void {
    this.series.count(name, by, labels as Readonly<Record<string, string>>);
  }

  measure<Name extends HistogramName>(name: Name, value: number, labels: LabelsOf<Name>): void {
    this.series.measure(name, value, labels);
  }

  child(fields: Fields): Instruments {
    return new BunyanTelemetry(this.logger.child(lineOf(fields)), this.series);
  }
}

const INFO = 30;
const LISTED: ReadonlySet<string> = new Set(LOG_FIELDS);

const stackOf = (error: unknown): string | undefined =>
  error instanceof Error && error.stack !== undefined ? maskCardData(error.stack) : undefined;

/** Ids are checked where they come in, and a long number may well be one; every other text of a line may quote anything. */
const IDS: ReadonlySet<string> = new Set([
  'record',
  'messageId',
  'traceId',
  'billerId',
  'dpId',
  'chunkId',
  'shard',
  'stream',
  'process',
]);

/** What may be told, and with it what a record's key says of it; of a field that is not on the list, its name. */
function lineOf(fields: Fields): Line {
  const line: Record<string, string | number | boolean> = { ...identityOf(fields) };
  const unlisted: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (!LISTED.has(name)) unlisted.push(name);
    else line[name] = typeof value === 'string' && !IDS.has(name) ? maskCardData(value) : value;
  }
  return unlisted.length === 0 ? line : { ...line, unlisted: maskCardData(unlisted.join(',')) };
}

function identityOf({ record, chunkId: chunk }: Fields): Line {
  const parts = typeof record === 'string' ? parseRecordKey(record) : undefined;
  if (parts) return { ...parts, traceId: traceOfRecord(recordKey(parts.billerId, parts.dpId)).traceId };
  return typeof chunk === 'string' ? { traceId: traceOfChunk(chunkId(chunk)).traceId } : {};
}
