import { type FaultKind } from '../world/faults';
import { type Capability } from '../world/scenario';

/** One deliberate defect: a text of one source file, which must stand there exactly once, and what stands there instead. */
export interface Mutant {
  readonly name: string;
  readonly rule: Rule;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** What a violation says that is this defect's consequence: another one would find it by accident only. */
  readonly shows: RegExp;
  /** What its seeds run on: what the simulator itself has (default), or the product's SQLite adapters, or its HTTP gateway. */
  readonly on?: 'sqlite' | 'http';
  /** Where no seed reaches it: the test files (what their paths hold) that hunt it instead. */
  readonly suites?: readonly string[];
  /** What brings the defect out, where the swarm does so too rarely: one kind of biller, a few kinds of faults. */
  readonly aim?: { readonly capability?: Capability; readonly kinds?: readonly FaultKind[] };
}

/** The rules of docs/ARCHITECTURE.md, The delivery protocol. */
export const PROTOCOL_RULES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] as const;

/** What a mutant breaks: a rule of the protocol, or a law beside it. */
export type Rule =
  | `rule ${(typeof PROTOCOL_RULES)[number]}`
  | 'a key is as old as its first use'
  | 'a time that was named is kept'
  | 'tries and age are kept to'
  | 'permits return'
  | 'the stores know each other'
  | 'the row owns the duty'
  | 'the outbox drains'
  | 'the queues drain'
  | 'every row comes to its end'
  | 'the shard claims New rows only'
  | 'the details say what the stream says'
  | 'an append may be repeated'
  | 'money is what the payment says'
  | 'poison ends among the dead letters'
  | 'an end is the own fault of its record'
  | 'the gateway keeps its laws'
  | 'an adapter keeps the laws of its port'
  | 'an id means one thing'
  | 'no secrets';

/** A patch that does not apply exactly once fails the run: a mutant of nothing would be "not found" for ever. */
export function patched({ name, file, find, replace }: Mutant, text: string): string {
  const places = [...text.matchAll(new RegExp(whateverTheLayout(find), 'g'))];
  if (places.length !== 1)
    throw new Error(`mutant "${name}" applies ${places.length} times to ${file}; bring it up to date with the source`);
  const { 0: found, index } = places[0]!;
  return text.slice(0, index) + replace + text.slice(index + found.length);
}

/** The same words and signs, however a formatter breaks the lines and whether it ends a list with a comma. */
const whateverTheLayout = (find: string): string =>
  (find.match(/[\w$]+|[^\s\w$]/g) ?? [])
    .map((token) => (/[)\]}]/.test(token) ? `,?\\s*\\${token}` : token.replace(/[^\w]/g, '\\$&')))
    .join('\\s*');
