import { type HistoryVerification } from '../../application/queries/verify-history';
import { type HistoryDifference } from '../../application/queries/compare-sealed';
import { type Lines } from './printer';
import { tableLines } from './table';

/** What was read, what it was compared with, what differs, and what to do. */
export function verificationText(verification: HistoryVerification, readAt: string, since: string | undefined): Lines {
  const { differences, differencesFound, events, seals, sources, signatures, unsealed, asides, notes } = verification;
  const reach = seals.from === 0 ? 'no seal' : `seals ${seals.from} to ${seals.to}`;
  return [
    `source: ${sources.map(({ name }) => name).join(', ')}, read ${readAt}`,
    `read ${events} events and ${reach}${since === undefined ? '' : `, those made since ${since}`}`,
    '',
    ...tableLines(
      [
        { title: 'seals in' },
        { title: 'read', align: 'right' },
        { title: 'not copied yet', align: 'right' },
        { title: 'place' },
      ],
      sources.map(({ name, place, seals: read, notCopiedYet }) => [name, String(read), String(notCopiedYet), place]),
    ),
    '',
    signatureText(signatures),
    ...asides.map(
      ({ witness, from, by, reason, at }) =>
        `set aside in ${witness}: seals from ${from} on, by ${by} at ${at}: ${reason}`,
    ),
    ...notes.map((note) => `noted by a sealer: ${note}`),
    unsealed.events === 0
      ? 'everything is sealed'
      : `not sealed yet: ${unsealed.events} events since ${unsealed.since ?? 'an unknown time'}; nothing tells whether they were changed`,
    '',
    ...(differencesFound === 0
      ? [seals.from === 0 ? 'nothing was compared: nothing is sealed' : 'the history is what was sealed']
      : failure(differences, differencesFound)),
  ];
}

function failure(differences: readonly HistoryDifference[], found: number): readonly string[] {
  return [
    `${found} ${found === 1 ? 'difference' : 'differences'}:`,
    ...tableLines(
      [{ title: 'seal', align: 'right' }, { title: 'kind' }, { title: 'event' }, { title: 'what' }],
      differences.map(({ seal, kind, stream, revision, what }) => [
        seal === undefined ? '-' : String(seal),
        kind,
        stream === undefined ? '' : `${stream}@${revision ?? ''}`,
        what,
      ]),
    ),
    ...(found > differences.length ? [`and ${found - differences.length} more`] : []),
    'next: docs/runbooks/history-tampered.md',
  ];
}

function signatureText({ keyGiven, sound, unsigned }: HistoryVerification['signatures']): string {
  if (!keyGiven) return 'signatures: not checked, no key is given (Seal:PublicKeyFile)';
  return `signatures: ${sound} sound${unsigned === 0 ? '' : `, ${unsigned} seals without`}`;
}
