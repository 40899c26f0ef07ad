import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type BillerProfiles } from '../../application/ports/biller-profiles';
import { type Chance } from '../../application/ports/chance';
import { type Clock } from '../../application/ports/clock';
import { type EventStore } from '../../application/ports/event-store';
import { PortFailure } from '../../application/ports/failures';
import { type Telemetry } from '../../application/ports/telemetry';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type BillerId, type ProfileVersion } from '../../domain/identifiers';
import { ProfileHistory } from './profile-history';
import { type AssembledBiller, assembleProfiles } from './assemble-profiles';
import { type ProfileFragment, PROFILES_FILE_BYTES_MAX, readFragments, tooLarge } from './profile-fragments';
import { problemText, type ProfileProblem, type ProfileRules } from './validate-profile-document';

export interface FileBillerProfilesOptions extends ProfileRules {
  /** Every `*.json` directly in it is read: a profile, a list of them, or a part of one; folders in it are not looked into. */
  readonly folder: string;
  readonly eventStore: EventStore;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly by: string;
  readonly telemetry?: Telemetry;
  /** How old the last look at the folder may be. */
  readonly refreshMs?: number;
}

const REFRESH_DEFAULT_MS = 10_000;

interface KnownFile {
  readonly stamp: string;
  readonly fragments: readonly ProfileFragment[];
  readonly problems: readonly ProfileProblem[];
}

/** Per biller: unread → valid (its profile is registered, then current) ⇄ invalid (the last valid profile stays current). */
interface KnownBiller extends AssembledBiller {
  readonly current: BillerProfile | undefined;
}

/**
 * Profiles from files, their versions in the event store. A file is read again when its time or size changed; one that
 * became invalid is warned of, and its biller goes on with the last valid profile, after a restart from the history.
 */
export class FileBillerProfiles implements BillerProfiles {
  private readonly history: ProfileHistory;
  private files = new Map<string, KnownFile>();
  private billers = new Map<string, KnownBiller>();
  private profiles = new Map<BillerId, BillerProfile>();
  private lookedAtMs: number | undefined;
  private looking: Promise<void> | undefined;

  constructor(private readonly options: FileBillerProfilesOptions) {
    this.history = new ProfileHistory(options);
  }

  async all(): Promise<readonly BillerProfile[]> {
    await this.lookIfDue();
    return [...this.profiles.values()];
  }

  async current(biller: BillerId): Promise<BillerProfile | undefined> {
    await this.lookIfDue();
    return this.profiles.get(biller);
  }

  version(biller: BillerId, version: ProfileVersion): Promise<BillerProfile | undefined> {
    return this.history.version(biller, version);
  }

  tenants(biller: BillerId): Promise<readonly string[]> {
    return this.history.tenants(biller);
  }

  /** Everything wrong with the files at the last look, all files at once. */
  async problems(): Promise<readonly ProfileProblem[]> {
    await this.lookIfDue();
    return [...this.files.values(), ...this.billers.values()].flatMap(({ problems }) => problems);
  }

  /** Billers that are known by the keys of the former system alone: no problem, and not delivered to. */
  async undeliverable(): Promise<readonly AssembledBiller[]> {
    await this.lookIfDue();
    return [...this.billers.values()].filter((biller) => biller.undeliverable);
  }

  private async lookIfDue(): Promise<void> {
    const due =
      this.lookedAtMs === undefined ||
      this.options.clock.monotonicMs() - this.lookedAtMs >= (this.options.refreshMs ?? REFRESH_DEFAULT_MS);
    if (due) await (this.looking ??= this.look().finally(() => (this.looking = undefined)));
  }

  private async look(): Promise<void> {
    const names = (await this.step('list', () => readdir(this.options.folder)))
      .filter((name) => name.endsWith('.json'))
      .sort();
    const files = new Map<string, KnownFile>();
    for (const name of names) {
      const known = await this.read(name);
      if (known) files.set(name, known);
    }
    const assembled = assembleProfiles(
      [...files.values()].flatMap(({ fragments }) => fragments),
      this.options,
      (billerId, fragments) => {
        const before = this.billers.get(billerId);
        return before && sameFragments(before.fragments, fragments) ? before : undefined;
      },
    );
    const billers = new Map<string, KnownBiller>();
    for (const one of assembled) billers.set(one.billerId, await this.known(one));
    const profiles = [...billers.values()].flatMap(({ current }) =>
      current ? [[current.billerId, current] as const] : [],
    );
    this.files = files;
    this.billers = billers;
    this.profiles = new Map(profiles);
    this.lookedAtMs = this.options.clock.monotonicMs();
  }

  /** Registers a valid profile before it is handed out; keeps the last valid one where this one is not. */
  private async known(assembled: AssembledBiller): Promise<KnownBiller> {
    const before = this.billers.get(assembled.billerId);
    if (before && sameFragments(before.fragments, assembled.fragments)) return before;
    const { profile, problems, undeliverable } = assembled;
    if (problems.length > 0) this.warn(problems);
    if (profile) await this.history.register(profile);
    if (profile ?? undeliverable) return { ...assembled, current: profile };
    return { ...assembled, current: before?.current ?? (await this.history.newest(assembled.billerId as BillerId)) };
  }

  /** Undefined where the file vanished or is a folder. */
  private async read(name: string): Promise<KnownFile | undefined> {
    const file = join(this.options.folder, name);
    const before = this.files.get(name);
    const facts = await stat(file).catch(() => undefined);
    if (!facts?.isFile()) return undefined;
    const stamp = `${facts.mtimeMs}:${facts.size}:${facts.ino}`;
    if (before?.stamp === stamp) return before;
    const found =
      facts.size > PROFILES_FILE_BYTES_MAX
        ? { fragments: [], problems: [{ file: name, path: '', expected: tooLarge(PROFILES_FILE_BYTES_MAX) }] }
        : readFragments(await readFile(file, 'utf8'), name, name.replace(/\.json$/, ''));
    if (found.problems.length > 0) this.warn(found.problems);
    // A file that cannot be read any more speaks as it last did; its billers go on.
    const fragments = found.fragments.length > 0 || found.problems.length === 0 ? found.fragments : before?.fragments;
    return { stamp, fragments: fragments ?? [], problems: found.problems };
  }

  private warn(problems: readonly ProfileProblem[]): void {
    this.options.telemetry?.warn('biller profile is not valid; its last valid version stays in use', {
      problems: problems.map(problemText).join('; '),
    });
  }

  private async step<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new PortFailure(`failed to ${what} the biller profiles in ${this.options.folder}`, {
        code: 'profile-missing',
        retryable: false,
        facts: { folder: this.options.folder },
        cause: error,
      });
    }
  }
}

/** A file that was not read again hands out the very fragments it had. */
const sameFragments = (some: readonly ProfileFragment[], others: readonly ProfileFragment[]): boolean =>
  some.length === others.length && some.every((one, index) => one === others[index]);
