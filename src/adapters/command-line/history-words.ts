import { type HistoryFinding } from '../../application/history/check-history';
import { type KnownHistory } from '../../application/ports/history-witness';
import { latest } from '../../domain/instant';
import { timeText } from './words';

/** Stores are told apart by the first characters of their identity. */
const IDENTITY_SHOWN = 8;
const RUNBOOK = 'docs/runbooks/history-lost.md';

/** Witnesses that say the same. */
interface Testimony {
  readonly fault: HistoryFinding['fault'];
  readonly witnesses: string;
  /** What the one that saw most remembers; undefined: none of them noted anything. */
  readonly known: KnownHistory | undefined;
}

const seen = ({ identity, notedAt }: KnownHistory): string =>
  `event store ${identity.slice(0, IDENTITY_SHOWN)}, last seen ${timeText(notedAt)}`;

const WHAT: Record<HistoryFinding['fault'], (testimony: Testimony) => string> = {
  new: ({ witnesses, known }) =>
    `it is new: it holds no records, and there is work of ${witnesses} in ${known ? seen(known) : 'one that nobody noted'}`,
  other: ({ witnesses, known }) => `it is another one: the work of ${witnesses} is in ${seen(known!)}`,
  behind: ({ witnesses, known }) =>
    `it is behind: event ${known!.mark!.revision} of ${known!.mark!.stream} is not there, which ${witnesses} knew by ${timeText(known!.notedAt)}`,
  unfinished: ({ witnesses, known }) =>
    `a loss of history was accepted at ${timeText(known!.loss!.since)}, and the rows of ${witnesses} are not all held yet`,
  replaced: ({ witnesses }) => `${witnesses} was deleted or replaced while it was open`,
};

/** What is wrong with the event store, in as few sentences as say all. */
export function historyFaults(findings: readonly HistoryFinding[]): readonly string[] {
  const groups = new Map<string, readonly HistoryFinding[]>();
  for (const finding of findings) {
    const group = `${finding.fault} ${finding.known?.identity ?? ''}`;
    groups.set(group, [...(groups.get(group) ?? []), finding]);
  }
  return [...groups.values()].map((group) => {
    const known = group.flatMap((finding) => finding.known ?? []);
    const newest = known.map(({ notedAt }) => notedAt).reduce(latest, known[0]?.notedAt ?? ('' as never));
    return WHAT[group[0]!.fault]({
      fault: group[0]!.fault,
      witnesses: group.map(({ witness }) => witness).join(', '),
      known: known.find(({ notedAt }) => notedAt === newest),
    });
  });
}

/** What happened, what it means, what to do. */
export const historyProblems = (findings: readonly HistoryFinding[]): readonly string[] =>
  historyFaults(findings).map((fault) =>
    findings.every((finding) => finding.fault === 'unfinished')
      ? `${fault}; nothing runs until then. Repeat: datapump history accept-loss --apply --reason "…" (${RUNBOOK})`
      : `this is not the event store that the work stands in: ${fault}. ` +
        'What was called for under the missing history is unknown, and payments could be posted twice. ' +
        'Put the right event store back and start again; only where it is lost for good, hold what it knew in doubt with: ' +
        `datapump history accept-loss (${RUNBOOK})`,
  );
