import { PortFailure, type PortFailureCode, VersionConflict } from '../../../src/application/ports/failures';
import {
  CALL_FAULTS,
  type CallFault,
  type CallSite,
  type FaultPlan,
  faultsAt,
  PROCESS_FAULTS,
  type ProcessFault,
} from './faults';
import { thenAtOnce } from './at-once';
import { type Dice, hashOf, mixed } from './dice';
import { type SimulatedProcess } from './simulated-process';
import { type Timeline } from './timeline';

export interface Call<Answer> {
  readonly site: CallSite;
  /** Which of several, where one may be out alone. */
  readonly of?: string;
  /** Port, method and what it is about; with the process, the name of the question whether it fails. */
  readonly name: string;
  /** Done when the call arrives; told the fault that the port itself has to do. */
  readonly effect: (fault: CallFault | undefined, question: number) => Answer | Promise<Answer>;
  /** Longest usual time there, and back. */
  readonly latencyMaxMs?: number;
  /** Where the answer itself says when it comes: milliseconds from its arrival. */
  readonly answerAfterMs?: (answer: Answer) => number;
}

type Told<Answer> = { readonly value: Answer } | { readonly error: unknown };

const PROCESS_KINDS = Object.keys(PROCESS_FAULTS) as ProcessFault[];
const LATENCY_MAX_MS = 12;
/** A new one each time: one for all would keep whoever waits for it, hence every world of a long run. */
const never = (): Promise<never> => new Promise(() => undefined);

/** A port, or one of several shards. */
export const LINKS = ['shard', 'bus', 'store', 'biller'] as const;
export type Link = (typeof LINKS)[number];
/** Of everyone, or of one process alone. */
export type Outage = Exclude<Link, 'biller'> | `shard ${string}` | `${string} to ${Link}`;

/**
 * Everything between a process and the world. A call arrives when the scheduler says so, and its answer is resolved
 * when the scheduler says so; in between anything of the fault plan may happen. A process that crashed gets no answer
 * ever again, while what it had put on the wire still lands.
 */
export class Wire {
  readonly outages = new Map<Outage, number>();
  /** Folds every call and answer of the run: two runs of a seed must end with the same. */
  traceHash = 0;
  calls = 0;
  /** Connections of before a disaster: what was on its way over them never arrives. */
  private era = 0;
  private readonly occurrences = new Map<string, { question: number; count: number }>();

  constructor(
    readonly timeline: Timeline,
    readonly dice: Dice,
    readonly faults: FaultPlan,
    private readonly narrate?: (line: string) => void,
  ) {}

  call<Answer>(process: SimulatedProcess, epoch: number, call: Call<Answer>): Promise<Answer> {
    if (process.epoch !== epoch) return never();
    const { era } = this;
    const about = `${process.name} ${call.name}`;
    const asked = this.ask(about);
    this.calls++;
    const processFault = this.faults.strike(about, asked.question, asked.occurrence, PROCESS_KINDS);
    const fault = this.faults.strike(about, asked.question, asked.occurrence, faultsAt(call.site), call.site);
    this.trace(asked.question, epoch, fault ?? processFault ?? '');
    this.narrate?.(`${process.name}#${epoch} ${call.name} ${fault ?? ''} ${processFault ?? ''}`);
    if (processFault === 'process-crash-before-effect') {
      process.crash();
      return never();
    }
    if (processFault === 'process-pause')
      process.pause(this.dice.between(2_000, 150_000, asked.question, asked.occurrence));
    if (processFault === 'process-restart') process.askToStop();
    return new Promise((resolve, reject) => {
      const slowMs =
        fault && CALL_FAULTS[fault].does === 'slow'
          ? this.dice.between(20_000, 140_000, mixed(asked.question, 3), asked.occurrence)
          : 0;
      // What is asked is old when it arrives, or what is answered.
      const slowThereMs = this.dice.fraction(mixed(asked.question, 4), asked.occurrence) < 0.5 ? slowMs : 0;
      const answered = (answer: Told<Answer>): void => {
        if (processFault === 'process-crash-after-effect') process.crash();
        if (process.epoch !== epoch) return;
        const usualMs =
          'value' in answer && call.answerAfterMs
            ? call.answerAfterMs(answer.value)
            : this.latency(asked, 'back', call);
        this.answer(process, epoch, usualMs + slowMs - slowThereMs, () => {
          this.trace(asked.question, epoch, 'answered');
          this.narrate?.(`${process.name}#${epoch} ${call.name} → ${shown(answer)}`);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the adapter threw
          if ('error' in answer) reject(answer.error);
          else resolve(answer.value);
        });
      };
      this.timeline.after(this.latency(asked, 'there', call) + slowThereMs, () => {
        if (era !== this.era && portOf(call.site) !== undefined) return false;
        const answer = this.arrive(process.name, call, fault, asked.question);
        if (answer instanceof Promise) return answer.then(answered);
        answered(answer);
        // No process hears of an arrival.
        return false;
      });
    });
  }

  /** Resolves something for a process when it is alive, awake and the time has come. */
  answer(process: SimulatedProcess, epoch: number, afterMs: number, resolve: () => void | boolean): void {
    this.timeline.after(afterMs, () => {
      if (process.epoch !== epoch) return false;
      if (process.pausedUntil <= this.timeline.now) return resolve();
      this.answer(process, epoch, process.pausedUntil - this.timeline.now, resolve);
      return false;
    });
  }

  /** The question of a place in the code, and how often it has been asked before. */
  ask(about: string): { readonly question: number; readonly occurrence: number } {
    const known = this.occurrences.get(about) ?? { question: this.dice.question(about), count: 0 };
    this.occurrences.set(about, known);
    return { question: known.question, occurrence: known.count++ };
  }

  trace(question: number, number: number, text: string): void {
    this.traceHash = hashOf(text, mixed(mixed(this.traceHash, question), mixed(this.timeline.now, number)));
  }

  /** What the port does, at once where it can; a store that is really asked takes its time. */
  private arrive<Answer>(
    process: string,
    call: Call<Answer>,
    fault: CallFault | undefined,
    question: number,
  ): Told<Answer> | Promise<Told<Answer>> {
    const does = fault && CALL_FAULTS[fault].does;
    if (this.isOut(process, call) || does === 'fails-before') return { error: failure(call, fault ?? 'outage') };
    if (does === 'acknowledged-without') return { value: undefined as Answer };
    if (does === 'conflict') return { error: new VersionConflict(call.name, 'new', 'new') };
    const tell = (value: Answer): Told<Answer> =>
      does === 'fails-after' ? { error: failure(call, fault!) } : { value };
    try {
      const told = thenAtOnce(call.effect(does === 'port' ? fault : undefined, question), tell);
      return told instanceof Promise ? told.catch((error: unknown) => ({ error })) : told;
    } catch (error) {
      return { error };
    }
  }

  /** Stores that come back from backups know no connection of before: neither an outage of it nor a call on its way. */
  sever(): void {
    this.outages.clear();
    this.era++;
  }

  /** Whether a process cannot reach what others can. */
  isCutOff(process: string, link: Link): boolean {
    return this.lasts(`${process} to ${link}`);
  }

  private isOut(process: string, { site, of }: { readonly site: CallSite; readonly of?: string }): boolean {
    const port = portOf(site);
    if (this.outages.size === 0 || port === undefined) return false;
    return this.lasts(port) || this.isCutOff(process, port) || (of !== undefined && this.lasts(`shard ${of}`));
  }

  private lasts(outage: Outage): boolean {
    return (this.outages.get(outage) ?? 0) > this.timeline.now;
  }

  private latency(
    { question, occurrence }: { question: number; occurrence: number },
    way: 'there' | 'back',
    call: { readonly latencyMaxMs?: number },
  ): number {
    if (this.faults.isHealed) return 1;
    return this.dice.between(
      1,
      call.latencyMaxMs ?? LATENCY_MAX_MS,
      mixed(question, way === 'there' ? 1 : 2),
      occurrence,
    );
  }
}

/** Undefined: a biller, or what each process has with it. */
const portOf = (site: CallSite): Exclude<Link, 'biller'> | undefined =>
  site === 'shard'
    ? 'shard'
    : site.startsWith('bus')
      ? 'bus'
      : site.startsWith('store') || site === 'control-read'
        ? 'store'
        : undefined;

function failure(call: { readonly name: string }, fault: string): PortFailure {
  const code = CODES[fault] ?? (fault.startsWith('store') || fault === 'outage' ? 'unavailable' : 'connection-lost');
  return new PortFailure(`failed to ${call.name}: ${fault}`, { code, retryable: !FINAL.has(code) });
}

const CODES: Readonly<Record<string, PortFailureCode>> = {
  'sql-deadlock': 'storage-busy',
  'secret-missing': 'secret-missing',
  'sql-final': 'storage-broken',
  'store-final': 'storage-broken',
  'bus-final': 'not-authorized',
};
/** The same call would fail again until somebody mends what it names; here it does with the healing, or by itself. */
const FINAL: ReadonlySet<PortFailureCode> = new Set(['secret-missing', 'storage-broken', 'not-authorized']);

function shown(answer: { value: unknown } | { error: unknown }): string {
  if ('error' in answer) return String(answer.error);
  try {
    return (JSON.stringify(answer.value) ?? 'done').slice(0, 300);
  } catch {
    return 'something that cannot be shown';
  }
}
