import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BROKER_DEAD_LETTER_REASON } from '../../src/application/ports/message-bus';
import { ROOT, sourceFiles } from './source-files';

/** The members of `export type <name> = 'a' | 'b';` as they are written. */
function membersOf(file: string, name: string): readonly string[] {
  const declared = new RegExp(`export type ${name} =([^;]*);`).exec(readFileSync(join(ROOT, file), 'utf8'));
  return [...(declared?.[1] ?? '').matchAll(/'([^']+)'/g)].map((match) => match[1]!);
}

/** The codes a runbook explains: the first cell of its tables' rows. */
const listedIn = (runbook: string): readonly string[] =>
  [...readFileSync(join(ROOT, 'docs/runbooks', runbook), 'utf8').matchAll(/^\| `([^`]+)` +\|/gm)].map(
    (match) => match[1]!,
  );

const EVENTS = 'src/domain/dp-record/dp-record.events.ts';
const portFailures = membersOf('src/application/ports/failures.ts', 'PortFailureCode');
/** Reasons of records, and those that services give to a message. */
const deadLetterReasons = [
  ...new Set([
    BROKER_DEAD_LETTER_REASON,
    ...membersOf(EVENTS, 'DeadLetterReason'),
    ...sourceFiles('src/application').flatMap(({ text }) =>
      [...text.matchAll(/\breason: '([A-Z][A-Za-z]+)'/g)].map((match) => match[1]!),
    ),
  ]),
];

it('reads codes as they are written', () => {
  expect(portFailures).toEqual(expect.arrayContaining(['storage-full', 'closed']));
  expect(deadLetterReasons).toEqual(
    expect.arrayContaining([
      'AttemptsUsedUp',
      'InvalidContract',
      'ProcessingBroken',
      'HistoryBehind',
      'MaxDeliveryCountExceeded',
    ]),
  );
  expect(membersOf(EVENTS, 'NoSuchType')).toEqual([]);
});

it.each<[string, readonly string[], string]>([
  ['failure codes and dead letter reasons', [...portFailures, ...deadLetterReasons], 'failure-codes.md'],
  ['causes of doubt', membersOf(EVENTS, 'DoubtCause'), 'in-doubt.md'],
  ['reasons of rejection', membersOf(EVENTS, 'RejectionReason'), 'rejected-records.md'],
])('the %s are each explained, and no other', (_, codes, runbook) => {
  expect(codes.length).toBeGreaterThan(5);
  const verdicts = ['delivered', 'declined', 'not-executed'];
  expect(
    listedIn(runbook)
      .filter((code) => !verdicts.includes(code))
      .sort(),
  ).toEqual([...codes].sort());
});

it('every page that a page of operations, deployment or the README leads to is there', () => {
  const from = ['README.md', 'deploy', 'docs'].flatMap((path) =>
    path.endsWith('.md')
      ? [path]
      : readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.md'))
          .map((name) => `${path}/${name}`),
  );
  const links = from.flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map((match) => ({
      page,
      target: match[1]!,
    })),
  );
  expect(links.length).toBeGreaterThan(50);
  expect(links.filter(({ page, target }) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([]);
});

it('every runbook that a program or a page names is there', () => {
  const pages = [
    'failure-codes.md',
    'dead-letters.md',
    'in-doubt.md',
    'paused-biller.md',
    'backlog-grows.md',
    'history-behind.md',
    'history-lost.md',
    'rejected-records.md',
    'history-tampered.md',
  ];
  const texts = [
    ...sourceFiles('src').map(({ text }) => text),
    ...pages.map((page) => readFileSync(join(ROOT, 'docs/runbooks', page), 'utf8')),
  ];
  const named = new Set(
    texts.flatMap((text) => [...text.matchAll(/(?:docs\/runbooks\/|\]\()([a-z-]+\.md)/g)].map((match) => match[1]!)),
  );
  expect([...named].filter((page) => !pages.includes(page))).toEqual([]);
  expect(named.size).toBeGreaterThan(3);
});
