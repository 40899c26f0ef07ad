import { parseJsonKeepingBigIntegers } from '../shared/big-integers';
import { repeatedMember } from '../shared/repeated-member';
import { type ProfileProblem } from './validate-profile-document';

/** A larger file is no profile; one that lists many billers is read up to the second size. */
const PROFILE_BYTES_MAX = 256 * 1024;
export const PROFILES_FILE_BYTES_MAX = 4 * 1024 * 1024;

type Keys = Readonly<Record<string, unknown>>;

/** What one place of one file says about one biller: a whole profile, its former keys, or the new ones beside them. */
export interface ProfileFragment {
  readonly file: string;
  /** Where in the file: empty, or `/0` for the first of a list. */
  readonly at: string;
  readonly billerId: string;
  readonly keys: Keys;
}

/**
 * A file is one biller's object, or a list of them as the former system wrote it. An object without `BillerID` speaks
 * of the biller that its file is named after. `stem`: the name of the file without `.json`.
 */
export function readFragments(
  text: string,
  file: string,
  stem: string,
): { readonly fragments: readonly ProfileFragment[]; readonly problems: readonly ProfileProblem[] } {
  const wrong = (path: string, expected: string) => ({ fragments: [], problems: [{ file, path, expected }] });
  const json = text.replace(/^\ufeff/, '');
  let content: unknown;
  try {
    content = parseJsonKeepingBigIntegers(json, PROFILES_FILE_BYTES_MAX);
  } catch (error) {
    return wrong('', `JSON was expected: ${(error as Error).message}`);
  }
  const twice = repeatedMember(json);
  if (twice !== undefined) return wrong(twice, 'one definition was expected: it stands twice in this object');
  if (!Array.isArray(content)) {
    if (text.length > PROFILE_BYTES_MAX) return wrong('', tooLarge(PROFILE_BYTES_MAX));
    if (!isObject(content)) return wrong('', 'an object, or a list of objects, was expected');
    return { fragments: [fragmentOf(content, file, '', stem)], problems: [] };
  }
  const fragments: ProfileFragment[] = [];
  const problems: ProfileProblem[] = [];
  content.forEach((item: unknown, index) => {
    const at = `/${index}`;
    if (!isObject(item)) problems.push({ file, path: at, expected: 'an object was expected' });
    else if (item['BillerID'] === undefined)
      problems.push({ file, path: `${at}/BillerID`, expected: 'is missing: a list must say whose keys these are' });
    else fragments.push(fragmentOf(item, file, at, stem));
  });
  return { fragments, problems };
}

export const tooLarge = (bytes: number): string => `at most ${bytes} bytes were expected`;

const isObject = (value: unknown): value is Keys =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function fragmentOf(keys: Keys, file: string, at: string, stem: string): ProfileFragment {
  const found = keys['BillerID'];
  const billerId = found === undefined ? stem : idText(found);
  return { file, at, billerId: typeof billerId === 'string' ? billerId : stem, keys: asWeSpell(keys, billerId) };
}

/** The former system wrote ids as numbers, and null for "no constraint". */
function asWeSpell(keys: Keys, billerId: unknown): Keys {
  const { Constraints: constraints, ...rest } = keys;
  const said = isObject(constraints)
    ? Object.fromEntries(Object.entries(constraints).filter(([, value]) => value !== null))
    : constraints;
  return { ...rest, BillerID: billerId, ...(said === undefined || said === null ? {} : { Constraints: said }) };
}

/** Numbers beyond 2^53 were kept as text when the file was read; a fraction is no id and stays what it is. */
const idText = (found: unknown): unknown => (Number.isSafeInteger(found) ? String(found) : found);
