import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Drawn, draw, type Part, partOf, PARTS } from './draw';
import { Judge, type Judgement, type Surroundings } from './judge';

/** A place where the change makes no difference that anyone could see, and why. */
interface Equivalent {
  readonly file: string;
  readonly operator: string;
  /** The line as it stands in the source, without its margin. */
  readonly line: string;
  readonly why: string;
}

interface Judged {
  readonly drawn: Drawn;
  readonly line: string;
  readonly judgement: Judgement;
}

const BY_MAX = 140;

/**
 * Draws defects by operator over domain, application and adapters, and reports per part how many types, tests or seeds
 * find. The exit code is 1 where a part's share falls below its floor (floors.json).
 */
export async function sampleMutants(
  surroundings: Surroundings,
  options: {
    readonly count: number;
    readonly seed: number;
    readonly parts: readonly Part[];
    readonly say: (line: string) => void;
    readonly json: boolean;
  },
): Promise<number> {
  const started = performance.now();
  const { root } = surroundings;
  const folder = join(root, 'test/simulation/mutants/sample');
  const equivalents = JSON.parse(readFileSync(join(folder, 'equivalents.json'), 'utf8')) as readonly Equivalent[];
  const floors = JSON.parse(readFileSync(join(folder, 'floors.json'), 'utf8')) as Readonly<Record<Part, number>>;
  const sources = sourcesOf(root);
  const lineOf = ({ file, mutation }: Drawn): string => sources.get(file)!.split('\n')[mutation.line - 1]!.trim();
  const isEquivalent = (drawn: Drawn): boolean =>
    equivalents.some(
      ({ file, operator, line }) =>
        file === drawn.file && operator === drawn.mutation.operator && line === lineOf(drawn),
    );

  const judge = new Judge(surroundings);
  for (const part of options.parts) await judge.holdsWithoutDefect(part);
  const judged: Judged[] = [];
  let left = 0;
  for (const [number, drawn] of draw(sources, options).entries()) {
    if (isEquivalent(drawn)) {
      left++;
      continue;
    }
    const one = { drawn, line: lineOf(drawn), judgement: await judge.judge(drawn, number) };
    judged.push(one);
    if (!options.json) options.say(textOf(one));
  }

  const scores = options.parts.map((part) => scoreOf(part, judged, floors[part]));
  const seconds = (performance.now() - started) / 1_000;
  if (options.json) {
    options.say(JSON.stringify({ seed: options.seed, seconds, equivalents: left, scores, judged }, undefined, 2));
  } else {
    for (const { part, found, of, floor } of scores)
      options.say(`${part}: ${found} of ${of} found (floor ${Math.round(floor * 100)} %)`);
    options.say(`${left} drawn places are listed as equivalent; seed ${options.seed}, ${seconds.toFixed(0)} s`);
  }
  return scores.every(({ holds }) => holds) && judged.length > 0 ? 0 : 1;
}

function scoreOf(part: Part, judged: readonly Judged[], floor: number) {
  const ofPart = judged.filter(({ drawn }) => partOf(drawn.file) === part);
  const found = ofPart.filter(({ judgement }) => judgement.found !== 'not').length;
  return { part, found, of: ofPart.length, floor, holds: ofPart.length === 0 || found / ofPart.length >= floor };
}

function textOf({ drawn: { file, mutation }, line, judgement }: Judged): string {
  const what = `${file}:${mutation.line} ${mutation.operator}: ${line.slice(0, BY_MAX)}`;
  return judgement.found === 'not'
    ? `SURVIVED ${what}`
    : `${judgement.found.padEnd(8)} ${what}  ← ${judgement.by.slice(0, BY_MAX)}`;
}

function sourcesOf(root: string): ReadonlyMap<string, string> {
  const files = PARTS.flatMap((part) =>
    readdirSync(join(root, part), { recursive: true, encoding: 'utf8' }).map((file) => `${part}/${file}`),
  ).filter((file) => file.endsWith('.ts') && !/\.(events|dto)\.ts$|application\/ports\//.test(file));
  return new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}
