import { type Chance } from '../../application/ports/chance';
import { type Clock } from '../../application/ports/clock';
import { type PortFailure } from '../../application/ports/failures';
import { type CounterName } from '../../application/ports/metrics-catalogue';
import { type Telemetry } from '../../application/ports/telemetry';
import { RETRY_AFTER_MAX_MS } from '../../domain/policies/delivery-outcome';
import { Probe } from './probe';

export const BACKOFF_FIRST_MS = 2_000;
export const BACKOFF_MAX_MS = 60_000;
const DOUBLINGS_MAX = 20;
/** One among calls that work is its record's matter; two with none that worked between them are the biller's. */
const THROTTLES_TO_SHUT = 2;

export interface BackoffPorts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly telemetry: Pick<Telemetry, 'info' | 'warn' | 'count'>;
}

export interface BackoffWords {
  readonly biller: string;
  /** What goes wrong, such as `biller asks to slow down`. */
  readonly trouble: string;
  readonly counter: Extract<CounterName, 'biller.throttled' | 'biller.credential-failures'>;
  /** So many failures in a row, and everyone waits. */
  readonly failuresToShut: number;
}

/**
 * Something of a biller that fails for all its records alike. It works → (fails) everyone waits → (the wait is over) one
 * probe → works, or a wait of twice the length up to a bound, half of it by chance so that processes do not keep step.
 * The first wait is as long as the other side asked for, where it asked: only who fails again is not taken at its word.
 * One line when it begins, when it changes and when it ends; what lies between is counted.
 */
export class Backoff {
  readonly probe: Probe;
  private failures = 0;
  private rounds = 0;
  private untilMs = 0;
  private waitMs = 0;
  private beganMs = 0;
  private reason: string | undefined;
  private toldOfBound = false;

  constructor(
    private readonly ports: BackoffPorts,
    private readonly words: BackoffWords,
  ) {
    this.probe = new Probe(ports.clock);
  }

  isShut(): boolean {
    return this.rounds > 0;
  }

  remainingMs(): number {
    return this.isShut() ? Math.max(0, Math.ceil(this.untilMs - this.ports.clock.monotonicMs())) : 0;
  }

  /**
   * `atLeastMs`: what the other side asked for, bounded here. The wait that follows: of all records alike, or what was
   * asked of this one where it is not yet everyone's matter.
   */
  failed(reason: string, atLeastMs = 0): number {
    this.ports.telemetry.count(this.words.counter, 1, { biller: this.words.biller });
    const now = this.ports.clock.monotonicMs();
    const asked = Math.min(RETRY_AFTER_MAX_MS, Math.max(0, atLeastMs));
    if (!this.isShut() && ++this.failures < this.words.failuresToShut) return asked;
    // A call that was under way when it began belongs to the same round.
    if (this.remainingMs() > 0) {
      this.untilMs = Math.max(this.untilMs, now + asked);
      return this.remainingMs();
    }
    const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(this.rounds, DOUBLINGS_MAX));
    const own = this.rounds === 0 && asked > 0 ? 0 : Math.ceil(full * (0.5 + 0.5 * this.ports.chance.fraction()));
    this.waitMs = Math.max(asked, own);
    this.untilMs = now + this.waitMs;
    if (this.rounds++ === 0) this.beganMs = now;
    this.tell(reason, full >= BACKOFF_MAX_MS);
    return this.waitMs;
  }

  /** A straggler's success during the wait ends nothing. */
  worked(): void {
    this.failures = 0;
    if (!this.isShut() || this.remainingMs() > 0) return;
    const forMs = Math.round(this.ports.clock.monotonicMs() - this.beganMs);
    this.ports.telemetry.info(`over: ${this.words.trouble}`, {
      billerId: this.words.biller,
      forMs,
      rounds: this.rounds,
    });
    this.rounds = 0;
    this.reason = undefined;
    this.toldOfBound = false;
  }

  private tell(reason: string, atBound: boolean): void {
    const changed = reason !== this.reason || (atBound && !this.toldOfBound);
    this.reason = reason;
    this.toldOfBound ||= atBound;
    if (!changed) return;
    const { biller, trouble } = this.words;
    this.ports.telemetry.warn(`${trouble}, its records wait`, {
      billerId: biller,
      reason,
      waitMs: this.waitMs,
      rounds: this.rounds,
    });
  }
}

/** What is wrong with one biller, whatever version of its profile found it out. */
export class BillerTrouble {
  /** The asking for a credential that could not be had before; it may be for a record that has its permit. */
  readonly asking: Probe;
  /** Why the last one could not be had. */
  credentialFailure: PortFailure | undefined;
  readonly throttle: Backoff;
  readonly token: Backoff;

  constructor(ports: BackoffPorts, biller: string) {
    this.asking = new Probe(ports.clock);
    this.throttle = new Backoff(ports, {
      biller,
      trouble: 'biller asks to slow down',
      counter: 'biller.throttled',
      failuresToShut: THROTTLES_TO_SHUT,
    });
    this.token = new Backoff(ports, {
      biller,
      trouble: 'no credential for biller',
      counter: 'biller.credential-failures',
      failuresToShut: 1,
    });
  }
}
