import { readFileSync } from 'node:fs';
import { type Lines, printer } from '../../adapters/command-line/printer';
import { type TrialResult } from './run-trials';

export interface Summary {
  readonly points: number;
  readonly trials: number;
  readonly kills: number;
  readonly restarts: number;
  readonly records: number;
  readonly lost: number;
  readonly doubled: number;
  readonly doubts: TrialResult['doubts'];
  readonly failed: number;
  readonly seconds: number;
  /** Of this process and all it started; undefined where the system does not tell. */
  readonly processorSeconds: number | undefined;
}

export function summaryOf(results: readonly TrialResult[], points: number, seconds: number): Summary {
  const sum = (of: (result: TrialResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  return {
    points,
    trials: results.length,
    kills: sum(({ kills }) => kills),
    restarts: sum(({ restarts }) => restarts),
    records: sum(({ records }) => records),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    doubts: { fault: sum(({ doubts }) => doubts.fault), kill: sum(({ doubts }) => doubts.kill) },
    failed: results.filter(({ failure }) => failure !== undefined).length,
    seconds: Math.round(seconds),
    processorSeconds: processorSeconds(),
  };
}

export function summaryLines(summary: Summary): Lines {
  const { points, trials, kills, restarts, records, lost, doubled, doubts, failed, seconds, processorSeconds } =
    summary;
  const spent = processorSeconds === undefined ? '' : ` (${(processorSeconds / 60).toFixed(1)} of processor time)`;
  return [
    `${failed === 0 ? 'PROVED' : 'FAILED'}: ${points} crash points, ${trials} trials, ${kills} kills, ${restarts} restarts, ${records} records: ${lost} lost, ${doubled} doubled`,
    `In doubt, at billers that offer no way to find out: ${doubts.fault + doubts.kill} (${doubts.fault} after a fault without a clear answer, ${doubts.kill} after a kill during the call)`,
    `${failed} trials failed; ${(seconds / 60).toFixed(1)} minutes${spent}`,
  ];
}

function lineOf({ name, turn, kills, restarts, records, doubts, note, seconds, failure, folder }: TrialResult): string {
  const doubtful = doubts.fault + doubts.kill;
  const line = [
    `${name} #${turn}: ${kills} killed, ${restarts} restarts, ${records} records`,
    ...(doubtful > 0 ? [`${doubtful} in doubt`] : []),
    ...(note === undefined ? [] : [note]),
    `${seconds.toFixed(1)} s`,
  ].join(', ');
  return failure === undefined ? line : `${line}, FAILED, see ${folder}\n  ${failure}`;
}

const CLEAR_LINE = '\r\u001b[2K';

/** A line for each trial, and on a terminal one more at the bottom that tells how far it is. */
export class Teller {
  private done = 0;
  private failed = 0;
  private readonly began = performance.now();

  constructor(
    private readonly total: number,
    private readonly stream: NodeJS.WriteStream,
  ) {
    this.showStatus();
  }

  tell(result: TrialResult): void {
    this.done++;
    if (result.failure !== undefined) this.failed++;
    this.clear();
    printer.complain(`${this.done}/${this.total} ${lineOf(result)}`.split('\n'));
    this.showStatus();
  }

  clear(): void {
    if (this.stream.isTTY) this.stream.write(CLEAR_LINE);
  }

  private showStatus(): void {
    if (!this.stream.isTTY || this.done === this.total) return;
    const minutes = (performance.now() - this.began) / 60_000;
    const left =
      this.done === 0 ? '' : `, about ${Math.ceil((minutes / this.done) * (this.total - this.done))} min left`;
    this.stream.write(`${this.done} of ${this.total} trials, ${this.failed} failed, ${minutes.toFixed(1)} min${left}`);
  }
}

const TICKS_PER_SECOND = 100;

/** /proc: ticks of this process (user, system) and of the children it waited for, with theirs. */
function processorSeconds(): number | undefined {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)!.split(' ');
    return Math.round(fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND);
  } catch {
    return undefined;
  }
}
