import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type ProfileFragment } from './profile-fragments';
import { type ProfileProblem, type ProfileRules, validateProfileDocument } from './validate-profile-document';

/** All that the files say of one biller. */
export interface AssembledBiller {
  readonly billerId: string;
  readonly fragments: readonly ProfileFragment[];
  readonly document: Readonly<Record<string, unknown>>;
  /** Undefined where something is wrong, or where nothing says how its API is spoken. */
  readonly profile: BillerProfile | undefined;
  readonly problems: readonly ProfileProblem[];
  /** It has the keys of the former system and none of the new ones: known, and nothing of it can be delivered. */
  readonly undeliverable: boolean;
}

/** Keys of the former system, in docs/PROFILES.md; a biller that has these alone is known, not deliverable. */
const FORMER = ['NameTemplate', 'Vendor', 'IntegrationClass', 'Mode', 'Actions'] as const;
const FORMER_OR_NEUTRAL = new Set<string>([
  ...FORMER, 'BillerID', 'Constraints', 'Tenant', 'Rollout', 'Description', '$schema',
]); // prettier-ignore
/** Every fragment may have these for itself. */
const REPEATABLE = new Set(['BillerID', 'Description', '$schema']);
/** What stands for a missing profile in the schema check, where only the former keys are looked at. */
const INTEGRATION = ['BaseUrl', 'Authentication', 'Requests', 'Answers', 'Timeout', 'Quarantine', 'Limits'];

/** Puts together what several files say of each biller. A key may be said once; who says it again is told of both places. */
export function assembleProfiles(
  fragments: readonly ProfileFragment[],
  rules: ProfileRules,
  known: (billerId: string, fragments: readonly ProfileFragment[]) => AssembledBiller | undefined = () => undefined,
): readonly AssembledBiller[] {
  const byBiller = new Map<string, ProfileFragment[]>();
  for (const fragment of fragments)
    byBiller.set(fragment.billerId, [...(byBiller.get(fragment.billerId) ?? []), fragment]);
  return [...byBiller].map(([billerId, mine]) => known(billerId, mine) ?? assemble(billerId, mine, rules));
}

function assemble(billerId: string, fragments: readonly ProfileFragment[], rules: ProfileRules): AssembledBiller {
  const sayer = new Map<string, ProfileFragment>();
  const problems: ProfileProblem[] = [];
  const left = new Set<string>();
  for (const fragment of fragments) {
    const repeated = Object.keys(fragment.keys).filter((key) => sayer.has(key) && !REPEATABLE.has(key));
    // One that repeats anything counts for nothing: half of another definition must not slip into the first.
    if (repeated.length > 0) {
      problems.push(...repetitions(billerId, fragment, repeated, sayer, rules));
      for (const key of Object.keys(fragment.keys)) left.add(key);
    } else for (const key of Object.keys(fragment.keys)) if (!sayer.has(key)) sayer.set(key, fragment);
  }
  const document = Object.fromEntries([...sayer].map(([key, fragment]) => [key, fragment.keys[key]]));
  const keys = Object.keys(document);
  const undeliverable = FORMER.every((key) => keys.includes(key)) && keys.every((key) => FORMER_OR_NEUTRAL.has(key));
  const main = fragments.find(({ keys: own }) => !Object.keys(own).every((key) => FORMER_OR_NEUTRAL.has(key)));
  const placed = ({ path, expected }: ProfileProblem): ProfileProblem => {
    const said = sayer.get(path.split('/')[1] ?? '') ?? main ?? fragments[0]!;
    return { file: said.file, path: `${said.at}${path}`, expected };
  };
  const verdict = validateProfileDocument(document, billerId, rules);
  const found = 'problems' in verdict ? verdict.problems : [];
  const counted = found.filter(
    (one) => !isMissing(one, left) && !(undeliverable && isMissing(one, new Set(INTEGRATION))),
  );
  problems.unshift(...counted.map(placed));
  return {
    billerId,
    fragments,
    document,
    profile: 'profile' in verdict ? verdict.profile : undefined,
    problems,
    undeliverable: undeliverable && counted.length === 0,
  };
}

const isMissing = ({ path, expected }: ProfileProblem, keys: ReadonlySet<string>): boolean =>
  expected === 'is missing' && keys.has(path.slice(1));

function repetitions(
  billerId: string,
  { file, at, keys }: ProfileFragment,
  repeated: readonly string[],
  sayer: ReadonlyMap<string, ProfileFragment>,
  rules: ProfileRules,
): readonly ProfileProblem[] {
  const first = (key: string): string => `${sayer.get(key)!.file}${sayer.get(key)!.at}`;
  const whole = FORMER.every((key) => repeated.includes(key));
  if (!whole)
    return repeated.map((key) => ({
      file,
      path: `${at}/${key}`,
      expected: `one definition was expected: ${first(key)} defines ${key} of biller ${billerId} already`,
    }));
  const verdict = validateProfileDocument(keys, file, rules);
  const own = 'problems' in verdict ? verdict.problems.map((one) => ({ ...one, path: `${at}${one.path}` })) : [];
  const again = `another file describes biller ${billerId} already: ${first(FORMER[0])}`;
  return [...own, { file, path: `${at}/BillerID`, expected: again }];
}

/** For people: what is missing, where it may be added, and what happens until then. */
export const undeliverableText = ({ billerId, fragments }: AssembledBiller): string =>
  `${fragments[0]!.file}${fragments[0]!.at}: biller ${billerId} is not deliverable: nothing says how its API is spoken (${INTEGRATION.join(', ')}); its rows wait as New. Add these keys there or in ${billerId}.json`;
