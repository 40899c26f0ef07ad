import { CsvError, parse } from 'csv-parse/sync';
import { type TextLine } from './text-lines';

export type CsvRecord =
  { readonly line: number; readonly fields: readonly string[] } | { readonly line: number; readonly reason: string };

/** A quoted field may run over so many lines; a quote that stays open longer is a mistake of its first line alone. */
export const LINES_PER_RECORD_MAX = 20;

/**
 * CSV records, line by line, so that a broken line costs itself and never what follows it: a parser that reads on after
 * an open quote would swallow the rest of the file. `line` is where the record begins; empty lines are passed over.
 */
export async function* csvRecords(lines: AsyncIterable<TextLine>, delimiter: string): AsyncGenerator<CsvRecord> {
  let open: TextLine[] = [];
  for await (const next of lines) {
    open.push(next);
    while (open.length > 0) {
      const taken = takeRecord(open, delimiter);
      if (taken === 'more') {
        if (open.length < LINES_PER_RECORD_MAX) break;
        yield neverClosed(open[0]!);
        open = open.slice(1);
        continue;
      }
      if (taken.record) yield taken.record;
      open = open.slice(taken.lines);
    }
  }
  while (open.length > 0) {
    const taken = takeRecord(open, delimiter);
    const found = taken === 'more' ? { record: neverClosed(open[0]!), lines: 1 } : taken;
    if (found.record) yield found.record;
    open = open.slice(found.lines);
  }
}

type Taken = { readonly record: CsvRecord | undefined; readonly lines: number };

/** 'more': a quote is still open at the end of these lines. */
function takeRecord(open: readonly TextLine[], delimiter: string): Taken | 'more' {
  const { line, text, damage } = open[0]!;
  if (damage !== undefined && !text?.includes('"')) return { record: { line, reason: damage }, lines: 1 };
  if (text === undefined) return { record: { line, reason: 'is longer than any line of a payment can be' }, lines: 1 };
  if (text.trim() === '') return { record: undefined, lines: 1 };
  if (!text.includes('"')) return { record: { line, fields: text.split(delimiter) }, lines: 1 };
  let whole = text;
  for (let lines = 1; ; lines++) {
    const parsed = parseQuoted(whole, delimiter);
    if (parsed !== 'open') {
      // A record that runs over lines is damaged where any of them is.
      const damaged = open.slice(0, lines).find((each) => each.damage !== undefined);
      if (damaged) return { record: { line, reason: damaged.damage! }, lines };
      return { record: 'reason' in parsed ? { line, reason: parsed.reason } : { line, fields: parsed.fields }, lines };
    }
    const next = open[lines];
    if (next === undefined) return 'more';
    whole += `\n${next.text ?? ''}`;
  }
}

function parseQuoted(text: string, delimiter: string): { fields: readonly string[] } | { reason: string } | 'open' {
  try {
    const records = parse(text, { delimiter, relax_column_count: true, max_record_size: 0 });
    return { fields: records[0] ?? [] };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return error.code === 'CSV_QUOTE_NOT_CLOSED' ? 'open' : { reason: `has a misplaced quote (${error.code})` };
  }
}

const neverClosed = ({ line }: TextLine): CsvRecord => ({ line, reason: 'opens a quote that is not closed' });
