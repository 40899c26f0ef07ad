import { type LateEffects } from './late-effects';
import { type AnswerFields } from './sandbox-bodies';
import { type SandboxBiller } from './sandbox-configuration';
import {
  drawFault,
  drawLatencyMs,
  drawLatenessMs,
  drawSeenAsPending,
  type Draw,
  type FaultKind,
} from './sandbox-faults';
import { type SandboxLedger, type Submission } from './sandbox-ledger';
import { settle, type Answer } from './settlement';

/** What the socket is to do once the ledger's commit is through. */
export type Reaction =
  | {
      readonly kind: 'answer';
      readonly answer: Answer;
      readonly delayMs: number;
      readonly cutShort: boolean;
      readonly left: () => void;
    }
  /** Say nothing for the biller's hangMs, then close. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' };

export interface DeskCounts {
  requests: number;
  replayed: number;
  keysInUse: number;
  keysReused: number;
}

const CLOSED = 'account-closed';

/** The business side of one biller: takes a submission, writes its books, and says how to react. Knows no sockets. */
export class SandboxDesk {
  readonly counts: DeskCounts = { requests: 0, replayed: 0, keysInUse: 0, keysReused: 0 };
  /** Keys whose delayed answer has not left yet; as many as there are open requests. */
  private readonly keysInFlight = new Set<string>();
  private readonly leavesToChance: boolean;

  constructor(
    readonly biller: SandboxBiller,
    private readonly seed: string,
    private readonly ledger: SandboxLedger,
    private readonly lateEffects: LateEffects,
  ) {
    this.leavesToChance = biller.latencyMs.median > 0 || Object.values(biller.faults).some((rate) => rate > 0);
  }

  receive(submission: Submission, bodyHash: string, nowMs: number): Reaction {
    const { biller, ledger } = this;
    this.counts.requests += 1;
    if (submission.account.startsWith('REFUSING')) return answer({ status: 503, fields: { code: 'maintenance' } });
    if (!this.leavesToChance) return answer(this.execute(submission, bodyHash, nowMs, 'request'));

    const { billerId, reference } = submission;
    const draw: Draw = {
      seed: this.seed,
      billerId,
      reference,
      occurrence: ledger.countOccurrence(billerId, reference),
    };
    const spared = draw.occurrence > (biller.faultyRequestsMax ?? Number.POSITIVE_INFINITY);
    const fault = spared ? undefined : drawFault(draw, biller.faults);
    const latencyMs = drawLatencyMs(draw, biller.latencyMs);
    if (fault !== undefined) ledger.recordFault(fault, billerId, reference, draw.occurrence, nowMs);
    switch (fault) {
      case undefined:
        return this.answerSlowly(submission, this.execute(submission, bodyHash, nowMs, 'request'), latencyMs);
      case 'latency':
        return this.answerSlowly(submission, this.execute(submission, bodyHash, nowMs, fault), biller.latencyMs.max);
      case 'throttled-429':
        return answer({ status: 429, fields: { code: 'throttled' }, retryAfterSeconds: 1 });
      case 'error-500-before-effect':
        return answer({ status: 500, fields: { code: 'internal-error' } }, latencyMs);
      case 'error-500-after-effect':
        this.execute(submission, bodyHash, nowMs, fault);
        return answer({ status: 500, fields: { code: 'internal-error' } }, latencyMs);
      case 'timeout-without-effect':
        return { kind: 'hang' };
      case 'timeout-with-effect':
        this.execute(submission, bodyHash, nowMs, fault);
        return { kind: 'hang' };
      case 'timeout-with-late-effect':
        this.executeLate(submission, bodyHash, nowMs, draw);
        return { kind: 'hang' };
      case 'connection-reset-before-effect':
        return { kind: 'reset' };
      case 'connection-reset-after-effect':
        this.execute(submission, bodyHash, nowMs, fault);
        return { kind: 'reset' };
      case 'malformed-body-after-effect':
        return { ...answer(this.execute(submission, bodyHash, nowMs, fault), latencyMs), cutShort: true };
    }
  }

  /** The effect, the decline, or what an earlier use of the key has to say. References are never looked at: no key, no memory. */
  private execute(submission: Submission, bodyHash: string, nowMs: number, cause: FaultKind | 'request'): Answer {
    const earlier = this.answerOfKey(submission, bodyHash, nowMs);
    if (earlier !== undefined) return earlier;
    const done = settle(this.ledger, submission, declineCodeOf(submission), nowMs, cause);
    if (submission.idempotencyKey !== undefined) {
      const stored = { status: done.status, answer: JSON.stringify(done.fields) };
      this.ledger.storeKey(submission.billerId, submission.idempotencyKey, bodyHash, nowMs, stored);
    }
    return done;
  }

  /** The client hears nothing either way; until the effect lands its key, where there is one, is in flight. */
  private executeLate(submission: Submission, bodyHash: string, nowMs: number, draw: Draw): void {
    if (this.answerOfKey(submission, bodyHash, nowMs) !== undefined) return;
    const { account: _account, ...rest } = submission;
    const dueMs = nowMs + drawLatenessMs(draw, this.biller.quarantineMs);
    this.lateEffects.schedule(
      { ...rest, declineCode: declineCodeOf(submission), dueMs },
      nowMs,
      drawSeenAsPending(draw),
    );
    if (submission.idempotencyKey !== undefined) {
      this.ledger.storeKey(submission.billerId, submission.idempotencyKey, bodyHash, nowMs, undefined);
    }
  }

  private answerOfKey({ billerId, idempotencyKey }: Submission, bodyHash: string, nowMs: number): Answer | undefined {
    if (idempotencyKey === undefined) return undefined;
    const known = this.ledger.findKey(billerId, idempotencyKey, nowMs - this.biller.idempotency!.retentionMs);
    if (known === undefined) return undefined;
    if (known.bodyHash !== bodyHash) {
      this.counts.keysReused += 1;
      return { status: 422, fields: { code: 'key-reused' } };
    }
    if (known.answered === undefined || this.keysInFlight.has(idempotencyKey)) {
      this.counts.keysInUse += 1;
      return { status: 409, fields: { code: 'key-in-use' } };
    }
    this.counts.replayed += 1;
    return { status: known.answered.status, fields: JSON.parse(known.answered.answer) as AnswerFields };
  }

  /** While the answer is on its way its key is in flight, as it would be at a biller that is still working. */
  private answerSlowly({ idempotencyKey }: Submission, given: Answer, delayMs: number): Reaction {
    if (idempotencyKey === undefined || delayMs < 1 || this.keysInFlight.has(idempotencyKey))
      return answer(given, delayMs);
    this.keysInFlight.add(idempotencyKey);
    return { ...answer(given, delayMs), left: () => this.keysInFlight.delete(idempotencyKey) };
  }
}

const declineCodeOf = ({ account }: Submission): string | undefined =>
  account.startsWith('CLOSED') ? CLOSED : undefined;

const answer = (given: Answer, delayMs = 0) =>
  ({ kind: 'answer', answer: given, delayMs, cutShort: false, left: () => {} }) as const satisfies Reaction;
