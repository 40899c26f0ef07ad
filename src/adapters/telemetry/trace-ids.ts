import { hash } from 'node:crypto';
import { type ChunkId, type RecordKey } from '../../domain/identifiers';

/** The trace of one record or chunk, and the span at its root. */
export interface TraceOfItsOwn {
  readonly traceId: string;
  readonly rootSpanId: string;
}

const TRACE_ID_LENGTH = 32;
const SPAN_ID_LENGTH = 16;

/**
 * Drawn from the name and not by chance: whoever meets a record, a sweep after a lost message or an operator after a year,
 * finds its trace without having been told, and every process decides alike whether it is sampled.
 */
function traceOf(name: string): TraceOfItsOwn {
  const digits = hash('sha256', name, 'hex');
  return {
    traceId: digits.slice(0, TRACE_ID_LENGTH),
    rootSpanId: digits.slice(TRACE_ID_LENGTH, TRACE_ID_LENGTH + SPAN_ID_LENGTH),
  };
}

export const traceOfRecord = (key: RecordKey): TraceOfItsOwn => traceOf(`record ${key}`);
export const traceOfChunk = (chunk: ChunkId): TraceOfItsOwn => traceOf(`chunk ${chunk}`);
