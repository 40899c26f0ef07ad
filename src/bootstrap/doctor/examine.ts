import { type Container } from 'inversify';
import { findAddress, type Probed, shakeHands } from '../../adapters/system/network-probe';
import { PortFailure } from '../../application/ports/failures';
import { type BusUser } from '../../application/messaging/bus-rights';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { msBetween } from '../../domain/instant';
import { type Settings } from '../configuration/declarations';
import { TOKENS } from '../container/tokens';
import { storeProblems } from '../processes/check-start';
import { findProfileSecrets } from '../processes/profile-secrets';
import { type Endpoint, endpointsOf } from './endpoints';

export const AREAS = ['settings', 'secrets', 'names', 'tls', 'stores', 'clock', 'profiles'] as const;
export type Area = (typeof AREAS)[number];

/** What was looked at, and what is wrong with it. */
export interface Finding {
  readonly area: Area;
  /** `unknown`: it could not be looked at, since something before it is wrong. */
  readonly state: 'well' | 'wrong' | 'unknown';
  /** Wrong: what, and what to do about it. */
  readonly text: string;
}

/** Servers asked at a time. */
const AT_A_TIME = 16;
/** A quarter of the shortest lock: locks, calls and judgements are timed by clocks that must agree so far. */
const CLOCK_APART_MAX_MS = 5_000;
/** Time to renew one. */
const CERTIFICATE_DAYS_MIN = 14;

export const wrong = (area: Area, text: string): Finding => ({ area, state: 'wrong', text });

/** Every server that settings and profiles name: has it an address, and does it shake hands? */
export async function examineNetwork(
  settings: Settings,
  profiles: readonly BillerProfile[],
  nowMs: number,
): Promise<readonly Finding[]> {
  const endpoints = endpointsOf(settings, profiles);
  const findings: Finding[] = [];
  for (let from = 0; from < endpoints.length; from += AT_A_TIME)
    findings.push(
      ...(await Promise.all(endpoints.slice(from, from + AT_A_TIME).map((one) => examineEndpoint(one, nowMs)))).flat(),
    );
  return findings;
}

async function examineEndpoint({ where, host, tls }: Endpoint, nowMs: number): Promise<readonly Finding[]> {
  const told = (area: Area, place: string, { problem, seen }: Probed, remedy: string): Finding =>
    problem === undefined
      ? { area, state: 'well', text: `${place}: ${seen}` }
      : wrong(area, `${where}: ${place}: ${problem}; ${remedy}`);
  const address = await findAddress(host);
  const name = told('names', host, address, 'correct the name, or the DNS server and zones of this network');
  if (tls === undefined) return [name];
  const place = `${host}:${tls.port}`;
  if (address.problem !== undefined)
    return [name, { area: 'tls', state: 'unknown', text: `${place}: its name is not found` }];
  const shaken = await shakeHands({ host, ...tls }, nowMs, CERTIFICATE_DAYS_MIN);
  const remedy =
    'open the way to it (network policy, firewall, private endpoint), trust its authority with NODE_EXTRA_CA_CERTS, or renew its certificate';
  return [name, told('tls', place, shaken, remedy)];
}

/** Rights, topology, schema and history, as a start looks at them. */
export async function examineStores(container: Container, user: BusUser | undefined): Promise<readonly Finding[]> {
  const problems = await storeProblems(container, user);
  if (problems.length > 0) return problems.map((text) => wrong('stores', text));
  const settings = container.get(TOKENS.settings);
  const stack = [settings['Stack:Shards'], settings['Stack:EventStore'], settings['Stack:Bus']].join(', ');
  return [{ area: 'stores', state: 'well', text: `${stack}: reached, allowed, as declared, and of one history` }];
}

/** This machine's clock beside that of each shard. */
export async function examineClocks(container: Container): Promise<readonly Finding[]> {
  const clock = container.get(TOKENS.clock);
  return Promise.all(
    container
      .get(TOKENS.shards)
      .all()
      .map(async (shard): Promise<Finding> => {
        try {
          const beganMs = clock.monotonicMs();
          const there = await shard.now();
          // The answer is as old as half the way; what that hides is not blamed on a clock.
          const wayMs = clock.monotonicMs() - beganMs;
          const apartMs = Math.max(0, Math.abs(msBetween(there, clock.now())) - wayMs);
          return apartMs > CLOCK_APART_MAX_MS
            ? wrong(
                'clock',
                `this machine's clock and that of shard ${shard.name} are ${Math.round(apartMs / 1_000)} s apart; synchronize both (NTP)`,
              )
            : {
                area: 'clock',
                state: 'well',
                text: `shard ${shard.name}: less than ${CLOCK_APART_MAX_MS / 1_000} s apart`,
              };
        } catch (error) {
          if (!(error instanceof PortFailure)) throw error;
          return { area: 'clock', state: 'unknown', text: `shard ${shard.name} does not answer` };
        }
      }),
  );
}

/** The secrets that profiles name. */
export async function examineProfileSecrets(
  container: Container,
  profiles: readonly BillerProfile[],
): Promise<readonly Finding[]> {
  const { missing, unknown } = await findProfileSecrets(profiles, container.get(TOKENS.secrets));
  return [
    ...missing.map((text) => wrong('secrets', `${text}; store it under this name`)),
    ...unknown.map((name): Finding => ({
      area: 'secrets',
      state: 'unknown',
      text: `${name}: the store of secrets is out of reach`,
    })),
    ...(missing.length + unknown.length === 0
      ? [{ area: 'secrets', state: 'well', text: 'those of settings and profiles are there' } as const]
      : []),
  ];
}
