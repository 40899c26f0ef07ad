import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Command } from 'commander';
import { PROFILE_BYTES_MAX } from '../../adapters/biller-profiles/file-biller-profiles';
import {
  type ProfileProblem,
  type ProfileRules,
  problemText,
  validateProfileDocument,
} from '../../adapters/biller-profiles/validate-profile-document';
import { sha256Digest } from '../../adapters/system/sha256-digest';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { lockOutlivesTimeouts } from '../configuration/cross-checks';
import { type Settings } from '../configuration/declarations';
import { profileRulesOf } from '../container/biller-module';
import { type GlobalOptions, settingsOf } from './command-context';
import { answer, counted } from './operator-output';
import { EXIT, UsageProblems } from './problems';

/** Reads files and nothing else: an integrator may check profiles on a machine that has no data. */
export function addBillerCheckCommand(biller: Command): void {
  biller
    .command('check')
    .description('every problem of biller profiles, by file and place; exit code 2 where there is any')
    .argument('[files...]', 'profile files (default: all of the setting Billers:Folder)')
    .action((files: string[], _options, command: Command) => check(files, command.optsWithGlobals()));
}

function check(named: readonly string[], options: GlobalOptions): void {
  const settings = settingsOf(options);
  const files = named.length > 0 ? named : profilesIn(settings['Billers:Folder']);
  const rules: ProfileRules = { ...profileRulesOf(settings), digest: sha256Digest };
  const problems: string[] = [];
  const valid: { readonly file: string; readonly profile: BillerProfile }[] = [];
  for (const file of files) {
    const verdict = checkFile(file, rules);
    if ('problems' in verdict) problems.push(...verdict.problems.map(problemText));
    else valid.push({ file, profile: verdict.profile });
  }
  problems.push(
    ...duplicates(valid),
    ...locks(
      settings,
      valid.map(({ profile }) => profile),
    ),
  );
  if (problems.length > 0) process.exitCode = EXIT.usage;
  const billers = valid.map(({ file, profile }) => ({ file, billerId: profile.billerId, version: profile.version }));
  if (options.json) answer(options, { checked: files.length, problems, valid: billers }, () => '');
  else if (problems.length > 0)
    process.stderr.write(
      `${problems.join('\n')}\n${counted(problems.length, 'problem')} in ${counted(files.length, 'file')}\n`,
    );
  else
    process.stdout.write(
      [
        ...billers.map(({ file, billerId, version }) => `${file}: biller ${billerId}, version ${version}`),
        `${counted(files.length, 'profile')} valid\n`,
      ].join('\n'),
    );
}

function profilesIn(folder: string): readonly string[] {
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

function checkFile(file: string, rules: ProfileRules): ReturnType<typeof validateProfileDocument> {
  const wrong = (expected: string): { problems: readonly ProfileProblem[] } => ({
    problems: [{ file, path: '', expected }],
  });
  try {
    if (statSync(file).size > PROFILE_BYTES_MAX) return wrong(`at most ${PROFILE_BYTES_MAX} bytes were expected`);
    return validateProfileDocument(JSON.parse(readFileSync(file, 'utf8')), file, rules);
  } catch (error) {
    if (error instanceof SyntaxError) return wrong(`JSON was expected: ${error.message}`);
    return wrong(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

function duplicates(valid: readonly { readonly file: string; readonly profile: BillerProfile }[]): readonly string[] {
  const first = new Map<string, string>();
  return valid.flatMap(({ file, profile }) => {
    const other = first.get(profile.billerId);
    if (other === undefined) first.set(profile.billerId, file);
    return other === undefined
      ? []
      : [`${file} /BillerID: ${basename(other)} describes biller ${profile.billerId} already`];
  });
}

const locks = (settings: Settings, profiles: readonly BillerProfile[]): readonly string[] =>
  lockOutlivesTimeouts({
    lockSeconds: settings['Bus:LockSeconds'],
    permitWaitSeconds: settings['Consumer:PermitWaitSeconds'],
    billers: profiles.map(({ billerId, timeoutMs }) => ({ billerId, timeoutMs })),
  });
