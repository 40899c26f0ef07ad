import { type ChunkId, type RecordKey } from '../../domain/identifiers';
import { type SpanName } from './record-traces';

/** More than one process has between a step and the next; the oldest is forgotten, and its next span hangs on the root. */
const KEPT_MAX = 10_000;

/** Spans of an earlier step of this process, on which the next one hangs. */
export class SeenBefore {
  private readonly records = new Map<RecordKey, { readonly span: SpanName; readonly link?: SpanName }>();
  private newest: { readonly record: RecordKey; readonly dataType: string } | undefined;
  private readonly chunks = new Set<ChunkId>();

  /** `link`: the chunk's span, out of which the record's message fans. */
  discover(record: RecordKey, span: SpanName, link: SpanName | undefined): void {
    this.records.set(record, { span, ...(link && { link }) });
    if (this.records.size > KEPT_MAX) this.records.delete(this.records.keys().next().value!);
  }

  /** Asked once: its message goes out. */
  discovered(record: RecordKey): { readonly span: SpanName; readonly link?: SpanName } | undefined {
    const known = this.records.get(record);
    if (known) this.records.delete(record);
    return known;
  }

  /** Several events may stand in one append: what the first says of its record counts for the next ones. */
  typeIs(record: RecordKey, dataType: string): void {
    this.newest = { record, dataType };
  }

  dataTypeOf = (record: RecordKey): string => (this.newest?.record === record ? this.newest.dataType : 'unknown');

  keepChunk(chunk: ChunkId): void {
    this.chunks.add(chunk);
    if (this.chunks.size > KEPT_MAX) this.chunks.delete(this.chunks.keys().next().value!);
  }

  isKeptChunk = (chunk: ChunkId): boolean => this.chunks.has(chunk);
}
