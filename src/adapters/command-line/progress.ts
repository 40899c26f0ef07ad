import { SingleBar } from 'cli-progress';
import { visible } from '../../domain/invisible-text';

/** How a long piece of work tells people where it stands. It writes to stderr, so that output for programs stays clean. */
export interface Progress {
  /** `note`: what is going on, in a few words; `total`: where it has changed since. */
  update(done: number, note?: string, total?: number): void;
  finish(): void;
}

export interface ProgressOptions {
  readonly label: string;
  readonly total: number;
  readonly stream?: NodeJS.WriteStream;
  /** Where there is no terminal: a line this often, and one at the end. */
  readonly lineEveryMs?: number;
  readonly monotonicMs?: () => number;
}

const LINE_EVERY_MS = 3_000;

/** A bar on a terminal, plain lines everywhere else: a log file full of carriage returns helps no one. */
export function startProgress(options: ProgressOptions): Progress {
  const stream = options.stream ?? process.stderr;
  return stream.isTTY ? bar(options, stream) : lines(options, stream);
}

function bar({ label, total }: ProgressOptions, stream: NodeJS.WriteStream): Progress {
  const single = new SingleBar({
    stream,
    format: `${label} [{bar}] {value}/{total} {note}`,
    hideCursor: true,
    clearOnComplete: false,
  });
  single.start(total, 0, { note: '' });
  return {
    update(done, note = '', newTotal) {
      if (newTotal !== undefined) single.setTotal(newTotal);
      single.update(done, { note: visible(note) });
    },
    finish: () => single.stop(),
  };
}

function lines(
  { label, total, lineEveryMs = LINE_EVERY_MS, monotonicMs = () => performance.now() }: ProgressOptions,
  stream: NodeJS.WriteStream,
): Progress {
  let shownAt = monotonicMs();
  let last = '';
  let shown = '';
  const show = (): void => {
    if (last !== '' && last !== shown) stream.write(`${visible(last)}\n`);
    shown = last;
  };
  return {
    update(done, note, newTotal = total) {
      last = `${label}: ${done} of ${newTotal}${note ? `, ${note}` : ''}`;
      if (monotonicMs() - shownAt < lineEveryMs) return;
      shownAt = monotonicMs();
      show();
    },
    finish: show,
  };
}
