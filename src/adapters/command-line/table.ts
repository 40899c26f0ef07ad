import { visible } from '../../domain/invisible-text';
import { type Lines } from './printer';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Titles, a rule, one line a row; columns are as wide as their longest cell as it is seen. Numbers read better to the right. */
export function tableLines(columns: readonly Column[], cells: readonly (readonly string[])[]): Lines {
  const rows = cells.map((row) => row.map(visible));
  const widths = columns.map(({ title }, index) =>
    rows.reduce((width, row) => Math.max(width, row[index]?.length ?? 0), title.length),
  );
  const line = (row: readonly string[]): string =>
    columns
      .map(({ align }, index) =>
        align === 'right' ? (row[index] ?? '').padStart(widths[index]!) : (row[index] ?? '').padEnd(widths[index]!),
      )
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(columns.map(({ title }) => title)), rule, ...rows.map(line)];
}
