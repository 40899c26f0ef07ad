import { existsSync } from 'node:fs';
import { type Command } from 'commander';
import { problemText } from '../../adapters/biller-profiles/validate-profile-document';
import { sha256Digest } from '../../adapters/system/sha256-digest';
import { SystemClock } from '../../adapters/system/system-clock';
import { type BusUser } from '../../application/messaging/bus-rights';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { DATA_TYPES } from '../../domain/biller/data-type';
import { msOf } from '../../domain/instant';
import { maskCardData } from '../../domain/policies/card-data';
import { lockOutlivesTimeouts } from '../configuration/cross-checks';
import { type Settings } from '../configuration/declarations';
import { readNamedSecrets } from '../configuration/read-named-secrets';
import { runtimeProblems } from '../configuration/runtime-checks';
import { inspectorProblem } from '../configuration/stack-checks';
import { profileRulesOf } from '../container/biller-module';
import { createContainer } from '../container/create-container';
import { secretSourceOf } from '../container/secret-source';
import { TOKENS } from '../container/tokens';
import {
  AREAS,
  examineClocks,
  examineNetwork,
  examineProfileSecrets,
  examineStores,
  type Finding,
  wrong,
} from '../doctor/examine';
import { type GlobalOptions, settingsOf } from './command-context';
import { checkFiles, profilesIn } from './operator-biller-check';
import { answer } from './operator-output';
import { EXIT, UsageProblems } from './problems';

interface DoctorOptions extends GlobalOptions {
  readonly service?: string;
}

/** As the deployment calls them. */
const SERVICES: Readonly<Record<string, BusUser>> = {
  scanner: 'scanner',
  fetcher: 'fetcher',
  ...Object.fromEntries(
    DATA_TYPES.map((dataType) => [`consumer-${dataType.toLowerCase()}`, { consumes: [dataType] } as const]),
  ),
  operator: 'operator',
};

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('everything that a process needs, looked at once: all that is wrong, with what to do about it')
    .option(
      '--service <name>',
      `what this service needs alone (${Object.keys(SERVICES).join(', ')}); default: all of it`,
    )
    .action((_options, command: Command) => doctor(command.optsWithGlobals()));
}

async function doctor(options: DoctorOptions): Promise<void> {
  const { service } = options;
  const user = service === undefined ? undefined : SERVICES[service];
  if (service !== undefined && user === undefined)
    throw new UsageProblems([`--service: found ${service}, expected one of ${Object.keys(SERVICES).join(', ')}`]);
  const found = await examine(options, user);
  const findings = AREAS.flatMap((area) => {
    const own = found.filter((finding) => finding.area === area);
    return own.length > 0 ? own : [{ area, state: 'unknown', text: 'not looked at: see what is wrong above' } as const];
  }).map((finding) => ({ ...finding, text: maskCardData(finding.text) }));
  const count = (state: Finding['state']): number => findings.filter((finding) => finding.state === state).length;
  const isWell = findings.every(({ state }) => state === 'well');
  if (!isWell) process.exitCode = EXIT.failed;
  const width = Math.max(...AREAS.map((area) => area.length));
  const marks = { well: 'ok   ', wrong: 'WRONG', unknown: '?    ' };
  answer(options, { well: isWell, findings }, () => [
    ...findings.map(({ area, state, text }) => `${marks[state]}  ${area.padEnd(width)}  ${text}`),
    isWell ? 'Nothing is wrong.' : `${count('wrong')} wrong, ${count('unknown')} could not be looked at`,
  ]);
}

/** From what everything else depends on to what depends on everything; looks and changes nothing. */
async function examine(options: GlobalOptions, user: BusUser | undefined): Promise<readonly Finding[]> {
  const runtime = [...runtimeProblems(process.env, process.execArgv)].map((text) => wrong('settings', text));
  let settings: Settings;
  try {
    settings = { ...settingsOf(options), 'Log:Level': 'fatal' };
  } catch (error) {
    if (!(error instanceof UsageProblems)) throw error;
    return [...runtime, ...error.problems.map((text) => wrong('settings', text))];
  }
  const inspected = inspectorProblem(settings);
  if (inspected !== undefined) runtime.push(wrong('settings', inspected));
  const callsBillers = user === undefined || typeof user === 'object';
  const profiles = readProfiles(settings);
  const clock = new SystemClock();
  const named = await readNamedSecrets(settings, () => secretSourceOf(settings, clock));
  const live = callsBillers ? profiles.valid : [];
  const secrets = [
    ...named.problems.map((text) => wrong('secrets', text)),
    ...named.passing.map((text): Finding => ({ area: 'secrets', state: 'unknown', text })),
  ];
  const network = await examineNetwork(named.settings, live, msOf(clock.now()));
  return [
    ...(runtime.length > 0
      ? runtime
      : [{ area: 'settings', state: 'well', text: 'read, and right together' } as const]),
    ...secrets,
    ...network,
    ...(['names', 'tls'] as const)
      .filter((area) => !network.some((finding) => finding.area === area))
      .map((area): Finding => ({ area, state: 'well', text: 'no server is named that needs it' })),
    ...profiles.findings,
    ...(secrets.length > 0 ? [] : await examineInside(named.settings, user, live)),
  ];
}

/** What takes connections. */
async function examineInside(
  settings: Settings,
  user: BusUser | undefined,
  profiles: readonly BillerProfile[],
): Promise<readonly Finding[]> {
  const folder = settings['Data:Folder'];
  if (settings['Stack:Shards'] === 'sqlite' && !existsSync(folder))
    return [
      wrong(
        'stores',
        `Data:Folder: ${folder} is no folder; name the one that holds the data, or make one with: datapump load`,
      ),
    ];
  const container = createContainer(settings, 'doctor');
  try {
    return [
      ...(await examineStores(container, user)),
      ...(await examineClocks(container)),
      ...(await examineProfileSecrets(container, profiles)),
    ];
  } finally {
    await container.get(TOKENS.lifecycle).close();
  }
}

function readProfiles(settings: Settings): {
  readonly valid: readonly BillerProfile[];
  readonly findings: readonly Finding[];
} {
  try {
    const files = profilesIn(settings['Billers:Folder']);
    const { billers, problems } = checkFiles(files, { ...profileRulesOf(settings), digest: sha256Digest });
    const valid = billers.flatMap(({ profile, problems: own }) => (profile && own.length === 0 ? [profile] : []));
    const found = [
      ...[...problems, ...billers.flatMap((biller) => biller.problems)].map(problemText),
      ...lockOutlivesTimeouts({
        lockSeconds: settings['Bus:LockSeconds'],
        permitWaitSeconds: settings['Consumer:PermitWaitSeconds'],
        billers: valid.map(({ billerId, timeoutMs }) => ({ billerId, timeoutMs })),
      }),
    ];
    const well: Finding = { area: 'profiles', state: 'well', text: `${valid.length} valid` };
    return { valid, findings: found.length > 0 ? found.map((text) => wrong('profiles', text)) : [well] };
  } catch (error) {
    if (!(error instanceof UsageProblems)) throw error;
    return { valid: [], findings: error.problems.map((text) => wrong('profiles', text)) };
  }
}
