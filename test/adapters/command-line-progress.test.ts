import { startProgress } from '../../src/adapters/command-line/progress';
import { tableLines } from '../../src/adapters/command-line/table';

class Written {
  text = '';
  constructor(readonly isTTY: boolean) {}
  write(text: string): boolean {
    this.text += text;
    return true;
  }
  asStream(): NodeJS.WriteStream {
    return this as unknown as NodeJS.WriteStream;
  }
}

describe('progress where there is no terminal', () => {
  it('writes a plain line now and then, and one at the end', () => {
    const written = new Written(false);
    let nowMs = 0;
    const progress = startProgress({
      label: 'loading',
      total: 10,
      stream: written.asStream(),
      lineEveryMs: 1_000,
      monotonicMs: () => nowMs,
    });
    for (let done = 1; done <= 10; done++) {
      nowMs += 300;
      progress.update(done, done === 4 ? 'half a line' : undefined);
    }
    progress.finish();
    progress.finish();
    expect(written.text).toBe('loading: 4 of 10, half a line\nloading: 8 of 10\nloading: 10 of 10\n');
  });

  it('says nothing where nothing was done', () => {
    const written = new Written(false);
    startProgress({ label: 'loading', total: 10, stream: written.asStream() }).finish();
    expect(written.text).toBe('');
  });
});

describe('a table', () => {
  it('is as wide as its longest cells, numbers to the right, without blanks at the ends of lines', () => {
    const lines = tableLines(
      [{ title: 'biller' }, { title: 'rows', align: 'right' }, { title: 'note' }],
      [
        ['101 Water', '7', ''],
        ['2', '1234567', 'late'],
      ],
    );
    expect(lines).toEqual([
      'biller        rows  note',
      '---------  -------  ----',
      '101 Water        7',
      '2          1234567  late',
    ]);
  });

  it('without rows still tells its columns', () => {
    expect(tableLines([{ title: 'biller' }], [])).toEqual(['biller', '------']);
  });
});
