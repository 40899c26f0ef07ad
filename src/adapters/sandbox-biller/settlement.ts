import { carriesMoney } from '../../domain/biller/data-type';
import { type AnswerFields } from './sandbox-bodies';
import { type FaultKind } from './sandbox-faults';
import { type SandboxLedger, type Submission } from './sandbox-ledger';

export interface Answer {
  readonly status: number;
  readonly fields: AnswerFields;
  readonly retryAfterSeconds?: number;
}

/** Writes the one effect or decline that a request has, and words its answer. */
export function settle(
  ledger: SandboxLedger,
  submission: Omit<Submission, 'account'>,
  declineCode: string | undefined,
  atMs: number,
  cause: FaultKind | 'request',
): Answer {
  if (declineCode !== undefined) {
    ledger.recordDecline(submission.billerId, submission.reference, declineCode, atMs);
    return { status: 422, fields: { status: 'declined', code: declineCode } };
  }
  const reference = ledger.recordEffect(submission, atMs, cause);
  return { status: carriesMoney(submission.dataType) ? 201 : 200, fields: { status: 'accepted', reference } };
}
