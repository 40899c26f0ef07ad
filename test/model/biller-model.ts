import { type CallOutcome } from '../../src/domain/policies/delivery-outcome';
import { type InquiryAnswer } from '../../src/domain/policies/in-doubt-resolution';
import { type BillerKind, LAG_S, QUARANTINE_S, RETENTION_S } from './rules';
import { type Biller } from './world';

const remembersKeys = (kind: BillerKind): boolean => kind === 'keys' || kind === 'both';

/** The biller does what the request asks, unless it remembers the key of one it has done. */
export function takeEffect(biller: Biller, key: string, now: number, kind: BillerKind): Biller {
  const known = seeKey(biller, key, now, kind);
  const remembered =
    remembersKeys(kind) && biller.keys.some(([name, seenAt]) => name === key && now < seenAt + RETENTION_S);
  if (remembered && biller.effects > 0) return known;
  return { ...known, effects: biller.effects + 1, effectAt: now };
}

/** The worst biller: it remembers a key from the first request that showed it, even one it refused. */
function seeKey(biller: Biller, key: string, now: number, kind: BillerKind): Biller {
  if (!remembersKeys(kind)) return biller;
  const remembered = biller.keys.filter(([, seenAt]) => now < seenAt + RETENTION_S);
  return { ...biller, keys: remembered.some(([name]) => name === key) ? remembered : [...remembered, [key, now]] };
}

export interface Answered {
  readonly how: string;
  readonly outcome: CallOutcome;
  readonly biller: Biller;
  readonly fault: boolean;
}

/** Every way one request can go. */
export function callsOf(
  biller: Biller,
  key: string,
  notAfter: number,
  now: number,
  kind: BillerKind,
): readonly Answered[] {
  const done = takeEffect(biller, key, now, kind);
  const seen = seeKey(biller, key, now, kind);
  const unknown: CallOutcome = { kind: 'unknown', code: 'timeout' };
  const remembered = remembersKeys(kind) && biller.effects > 0 && done.effects === biller.effects;
  const answers: Answered[] = [
    {
      how: 'answered',
      outcome: { kind: 'accepted', httpStatus: 200, billerReference: undefined },
      biller: done,
      fault: false,
    },
    { how: 'dropped before the effect', outcome: unknown, biller, fault: true },
    { how: 'answer lost after the effect', outcome: unknown, biller: done, fault: true },
    {
      how: 'takes effect late',
      outcome: unknown,
      biller: { ...biller, late: [...biller.late, { key, until: notAfter + QUARANTINE_S }] },
      fault: true,
    },
    {
      how: 'not sent, whatever the time',
      outcome: { kind: 'not-sent', lateByMs: 0, code: 'key-not-carried' },
      biller,
      fault: true,
    },
    { how: 'connection refused', outcome: { kind: 'not-executed', code: 'ECONNREFUSED' }, biller, fault: true },
  ];
  // A remembered key is answered from memory; else the biller may refuse and still remember the key.
  if (!remembered) {
    answers.push({
      how: 'refused unexecuted',
      outcome: { kind: 'not-executed', code: '503' },
      biller: seen,
      fault: true,
    });
    answers.push({ how: 'throttled', outcome: { kind: 'throttled', retryAfterMs: 1000 }, biller: seen, fault: true });
  }
  return answers;
}

/** Every answer an honest inquiry may give at this moment. */
export function inquiryAnswers(
  biller: Biller,
  now: number,
): readonly { readonly answer: InquiryAnswer; readonly fault: boolean }[] {
  const answers: { answer: InquiryAnswer; fault: boolean }[] = [
    { answer: { answer: 'unavailable' }, fault: true },
    { answer: { answer: 'cannot-tell' }, fault: true },
  ];
  const visible = biller.effects > 0 && now >= biller.effectAt + LAG_S;
  if (biller.effects > 0)
    answers.push({ answer: { answer: 'delivered', billerReference: undefined, amount: undefined }, fault: false });
  if (!visible) answers.push({ answer: { answer: 'absent' }, fault: false });
  if (biller.late.length > 0) answers.push({ answer: { answer: 'pending' }, fault: true });
  return answers;
}
