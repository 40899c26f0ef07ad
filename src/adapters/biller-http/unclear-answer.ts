import { type AnswerSnippets } from '../../application/ports/answer-snippets';
import { type Clock } from '../../application/ports/clock';
import { type Digest } from '../../application/ports/digest';
import { type Telemetry } from '../../application/ports/telemetry';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type CallOutcome } from '../../domain/policies/delivery-outcome';
import { maskedSnippet } from '../shared/masked-snippet';

export interface SnippetPorts {
  readonly snippets?: AnswerSnippets;
  readonly clock: Clock;
  readonly digest: Digest;
  readonly telemetry: Pick<Telemetry, 'count'>;
}

/** The outcome with the name of a masked piece of its answer, which is kept for a while beside the history. */
export function withSnippet(
  ports: SnippetPorts,
  outcome: CallOutcome,
  body: Buffer,
  known: () => readonly string[],
): CallOutcome {
  if (outcome.kind !== 'unknown' || !outcome.answer || !ports.snippets || body.length === 0) return outcome;
  const text = maskedSnippet(body.toString('utf8'), known());
  const name = ports.digest(text);
  // The call's outcome is what matters: a store that fails costs the integrator a look, and the record nothing.
  ports.snippets
    .keep({ name, text, at: ports.clock.now() })
    .catch(() => ports.telemetry.count('answers.snippets-lost'));
  return { ...outcome, answer: { ...outcome.answer, snippet: name } };
}

/** What an answer may repeat of a request and nobody shall read: the person, and what let us in. */
export const privateValues = (row: DpRow, headers: Readonly<Record<string, string>>): readonly string[] => [
  ...Object.values(headers).flatMap((value) => [value, ...decodedBasic(value)]),
  ...[row.customer?.accountNumber, row.customer?.name, row.customer?.email, row.customer?.customerId].flatMap(
    (value) => value ?? [],
  ),
];

function decodedBasic(header: string): readonly string[] {
  const encoded = /^Basic (.+)$/.exec(header)?.[1];
  const decoded = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
  const at = decoded?.indexOf(':') ?? -1;
  return decoded === undefined || at < 0 ? [] : [decoded.slice(0, at), decoded.slice(at + 1)];
}
