import { firstDifference, sealOf, type SealCopy } from '../../application/history/history-seal';
import { COPIES_PER_CALL_MAX, type SetAside } from '../../application/ports/seal-witness';
import { invariant } from '../../domain/invariant';

/** What a shard keeps of a seal: a few hundred bytes, without the lists of its events. */
export function shortCopyText({
  number,
  previous,
  through,
  events,
  root,
  at,
  digest,
  signature,
  key,
}: SealCopy): string {
  return JSON.stringify({ number, previous, through, events, root, at, digest, signature, key });
}

/** What lies in a copy's place, whoever wrote it: text that is no copy comes as one that agrees with nothing. */
export function copyOfText(number: number, text: string): SealCopy {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    found = undefined;
  }
  const lists = { names: '', leaves: '', copies: [], notes: [], by: '' };
  const isCopy = typeof found === 'object' && found !== null && sealOf({ ...lists, ...found }) !== undefined;
  if (isCopy && (found as SealCopy).number === number) return found as SealCopy;
  const none = { previous: '', through: '', events: 0, root: '', digest: 'unreadable' };
  return { number, ...none, at: '1970-01-01T00:00:00.000Z' as SealCopy['at'] };
}

/** Those of the copies that are new, where all follow on what is kept; else 'refused'. */
export function newCopies(
  copies: readonly SealCopy[],
  newest: number,
  kept: (number: number) => SealCopy | undefined,
): readonly SealCopy[] | 'refused' {
  checkCopyCount(copies);
  const added: SealCopy[] = [];
  for (const copy of copies) {
    if (copy.number === newest + added.length + 1) {
      added.push(copy);
      continue;
    }
    const present = copy.number <= newest ? kept(copy.number) : undefined;
    if (!present || firstDifference(present, copy) !== undefined) return 'refused';
  }
  return added;
}

export function checkCopyCount({ length }: readonly SealCopy[]): void {
  invariant(
    length <= COPIES_PER_CALL_MAX,
    `a call keeps at most ${COPIES_PER_CALL_MAX} copies of seals, got ${length}`,
  );
}

export function checkCopies(max: number): void {
  invariant(
    Number.isSafeInteger(max) && max >= 1 && max <= COPIES_PER_CALL_MAX,
    `a read of seals yields 1 to ${COPIES_PER_CALL_MAX} copies, got ${max}`,
  );
}

export const asideText = ({ from, by, reason, at }: SetAside): string =>
  JSON.stringify({ setAside: { from, by, reason, at } });

/** Undefined: the text is none that asideText made. */
export function asideOfText(text: string): SetAside | undefined {
  try {
    const { setAside: aside } = JSON.parse(text) as { setAside?: SetAside };
    return aside !== undefined && Number.isSafeInteger(aside.from) ? aside : undefined;
  } catch {
    return undefined;
  }
}
