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
import {
  problemText,
  type ProfileProblem,
  type ProfileRules,
  validateProfileDocument,
} from './validate-profile-document';

export interface FileBillerProfilesOptions extends ProfileRules {
  /** Every `*.json` directly in it is one profile; folders in it (billers/templates) are not looked into. */
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
/** A larger file is no profile. */
export const PROFILE_BYTES_MAX = 256 * 1024;

/** Per file: unread → valid (its profile is registered, then current) ⇄ invalid (the last valid profile stays current). */
interface KnownFile {
  readonly stamp: string;
  readonly profile: BillerProfile | undefined;
  readonly problems: readonly ProfileProblem[];
}

/**
 * Profiles from files, their versions in the event store. A file is read again when its time or size changed; one that
 * became invalid is warned of, and its biller goes on with the last valid profile, after a restart from the history.
 */
export class FileBillerProfiles implements BillerProfiles {
  private readonly history: ProfileHistory;
  private files = new Map<string, KnownFile>();
  private profiles = new Map<BillerId, BillerProfile>();
  private duplicates: readonly ProfileProblem[] = [];
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

  /** Everything wrong with the files at the last look, all files at once. */
  async problems(): Promise<readonly ProfileProblem[]> {
    await this.lookIfDue();
    return [...[...this.files.values()].flatMap((file) => file.problems), ...this.duplicates];
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
    const profiles = new Map<BillerId, BillerProfile>();
    const duplicates: ProfileProblem[] = [];
    for (const [name, { profile }] of files) {
      if (!profile) continue;
      if (profiles.has(profile.billerId))
        duplicates.push({
          file: name,
          path: '/BillerID',
          expected: `another file describes biller ${profile.billerId} already`,
        });
      else profiles.set(profile.billerId, profile);
    }
    if (duplicates.length > this.duplicates.length) this.warn(duplicates);
    this.files = files;
    this.profiles = profiles;
    this.duplicates = duplicates;
    this.lookedAtMs = this.options.clock.monotonicMs();
  }

  /** Undefined where the file vanished or is a folder. */
  private async read(name: string): Promise<KnownFile | undefined> {
    const file = join(this.options.folder, name);
    const before = this.files.get(name);
    const facts = await stat(file).catch(() => undefined);
    if (!facts?.isFile()) return undefined;
    const stamp = `${facts.mtimeMs}:${facts.size}:${facts.ino}`;
    if (before?.stamp === stamp) return before;
    if (facts.size > PROFILE_BYTES_MAX)
      return this.invalid(stamp, before, undefined, [
        { file: name, path: '', expected: `at most ${PROFILE_BYTES_MAX} bytes were expected` },
      ]);
    let document: unknown;
    try {
      document = JSON.parse(await readFile(file, 'utf8'));
    } catch (error) {
      return this.invalid(stamp, before, undefined, [
        { file: name, path: '', expected: `JSON was expected: ${(error as Error).message}` },
      ]);
    }
    const verdict = validateProfileDocument(document, name, this.options);
    if ('problems' in verdict) return this.invalid(stamp, before, document, verdict.problems);
    await this.history.register(verdict.profile);
    return { stamp, profile: verdict.profile, problems: [] };
  }

  private async invalid(
    stamp: string,
    before: KnownFile | undefined,
    document: unknown,
    problems: readonly ProfileProblem[],
  ): Promise<KnownFile> {
    this.warn(problems);
    return { stamp, profile: before?.profile ?? (await this.lastValid(document)), problems };
  }

  private async lastValid(document: unknown): Promise<BillerProfile | undefined> {
    const id =
      typeof document === 'object' && document !== null ? (document as { BillerID?: unknown }).BillerID : undefined;
    return typeof id === 'string' ? this.history.newest(id as BillerId) : undefined;
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
