import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Command } from 'commander';
import {
  type AssembledBiller,
  assembleProfiles,
  undeliverableText,
} from '../../adapters/biller-profiles/assemble-profiles';
import {
  type ProfileFragment,
  PROFILES_FILE_BYTES_MAX,
  readFragments,
  tooLarge,
} from '../../adapters/biller-profiles/profile-fragments';
import {
  type ProfileProblem,
  type ProfileRules,
  problemText,
} from '../../adapters/biller-profiles/validate-profile-document';
import { printer } from '../../adapters/command-line/printer';
import { sha256Digest } from '../../adapters/system/sha256-digest';
import { SystemClock } from '../../adapters/system/system-clock';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { lockOutlivesTimeouts } from '../configuration/cross-checks';
import { type Settings } from '../configuration/declarations';
import { profileRulesOf } from '../container/biller-module';
import { secretSourceOf } from '../container/secret-source';
import { findProfileSecrets } from '../processes/profile-secrets';
import { type GlobalOptions, settingsOf } from './command-context';
import { answer, counted } from './operator-output';
import { EXIT, UsageProblems } from './problems';

/** Reads files and looks for secrets, nothing else: an integrator may check profiles on a machine that has no data. */
export function addBillerCheckCommand(biller: Command): void {
  biller
    .command('check')
    .description('every problem of biller profiles, by file and place; exit code 2 where there is any')
    .argument('[files...]', 'profile files (default: all of the setting Billers:Folder)')
    .action((files: string[], _options, command: Command) => check(files, command.optsWithGlobals()));
}

async function check(named: readonly string[], options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const files = named.length > 0 ? named : profilesIn(settings['Billers:Folder']);
  const rules: ProfileRules = { ...profileRulesOf(settings), digest: sha256Digest };
  const { billers: checked, problems: unread } = checkFiles(files, rules);
  const problems = [...unread, ...checked.flatMap((biller) => biller.problems)]
    .sort((a, b) => (a.file === b.file ? 0 : a.file < b.file ? -1 : 1))
    .map(problemText);
  const valid = checked.flatMap(({ profile, problems: own, fragments }) =>
    profile && own.length === 0 ? [{ file: fragments.map(placeOf).join(' + '), profile }] : [],
  );
  const undeliverable = checked.filter((biller) => biller.undeliverable).map(undeliverableText);
  problems.push(
    ...locks(
      settings,
      valid.map(({ profile }) => profile),
    ),
  );
  const secrets = await findProfileSecrets(
    valid.map(({ profile }) => profile),
    secretSourceOf(settings, new SystemClock()),
  );
  problems.push(...secrets.missing);
  if (secrets.unknown.length > 0)
    printer.complain([
      `datapump: not looked for, because the store of secrets is out of reach: ${secrets.unknown.join(', ')}`,
    ]);
  if (problems.length > 0) process.exitCode = EXIT.usage;
  const billers = valid.map(({ file, profile }) => ({ file, billerId: profile.billerId, version: profile.version }));
  if (options.json) answer(options, { checked: files.length, problems, valid: billers, undeliverable }, () => []);
  else if (problems.length > 0)
    printer.complain([
      ...problems,
      ...undeliverable,
      `${counted(problems.length, 'problem')} in ${counted(files.length, 'file')}`,
    ]);
  else
    printer.print([
      ...billers.map(({ file, billerId, version }) => `${file}: biller ${billerId}, version ${version}`),
      ...undeliverable,
      `${counted(billers.length, 'profile')} valid`,
    ]);
}

export function profilesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    throw new UsageProblems([
      `Billers:Folder: ${folder} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}); name the folder of the biller profiles`,
    ]);
  }
}

const placeOf = ({ file, at }: ProfileFragment): string => `${file}${at}`;

/** A part of a profile is completed by what other files of its folder say of the same biller. */
export function checkFiles(
  files: readonly string[],
  rules: ProfileRules,
): { readonly billers: readonly AssembledBiller[]; readonly problems: readonly ProfileProblem[] } {
  const read = files.map(readFile);
  const named = read.flatMap(({ fragments }) => fragments);
  const incomplete = new Set(
    assembleProfiles(named, rules)
      .filter(({ profile, document }) => !profile && !('BaseUrl' in document && 'NameTemplate' in document))
      .map(({ billerId }) => billerId),
  );
  const beside = incomplete.size === 0 ? [] : besides(files).flatMap((file) => readFile(file).fragments);
  const completing = beside.filter(({ billerId }) => incomplete.has(billerId));
  return {
    billers: assembleProfiles([...named, ...completing], rules),
    problems: read.flatMap(({ problems }) => problems),
  };
}

/** The other profile files of the folders of these. */
function besides(files: readonly string[]): readonly string[] {
  const named = new Set(files.map((file) => resolve(file)));
  const folders = [...new Set(files.map((file) => dirname(file)))].filter((folder) => existsSync(folder));
  return folders.flatMap(profilesIn).filter((file) => !named.has(resolve(file)));
}

function readFile(file: string): ReturnType<typeof readFragments> {
  const wrong = (expected: string) => ({ fragments: [], problems: [{ file, path: '', expected }] });
  try {
    if (statSync(file).size > PROFILES_FILE_BYTES_MAX) return wrong(tooLarge(PROFILES_FILE_BYTES_MAX));
    return readFragments(readFileSync(file, 'utf8'), file, basename(file, '.json'));
  } catch (error) {
    return wrong(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

const locks = (settings: Settings, profiles: readonly BillerProfile[]): readonly string[] =>
  lockOutlivesTimeouts({
    lockSeconds: settings['Bus:LockSeconds'],
    permitWaitSeconds: settings['Consumer:PermitWaitSeconds'],
    billers: profiles.map(({ billerId, timeoutMs }) => ({ billerId, timeoutMs })),
  });
