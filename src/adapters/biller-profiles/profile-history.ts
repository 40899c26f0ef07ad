import { evolved } from '../../application/history/evolve-stored';
import { type Chance } from '../../application/ports/chance';
import { type Clock } from '../../application/ports/clock';
import { type EventStore, READ_EVENTS_MAX } from '../../application/ports/event-store';
import { VersionConflict } from '../../application/ports/failures';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type BillerId, billerProfileStream, type ProfileVersion } from '../../domain/identifiers';
import { type BillerDocument } from '../shared/biller-document/biller-document';
import { profileFromDocument } from './profile-from-document';

const REGISTERED = 'BillerProfileRegistered';
const CONFLICTS_MAX = 5;
/** Pages of READ_EVENTS_MAX versions of one biller; more is a fault, not a history. */
const PAGES_MAX = 100;
const KEPT_MAX = 1_000;

/** Every version a biller's profile ever had: the stream `billerProfile-<billerId>`. Shape stored for ever. */
interface RegisteredData {
  readonly version: ProfileVersion;
  readonly document: BillerDocument;
}

/** A document that was registered once can be read for ever: one that cannot is damaged. */
const REGISTERED_PROFILE = {
  evolve: (_before: unknown, event: unknown): BillerProfile | undefined => {
    const { document, version } = (event as { readonly data: RegisteredData }).data;
    return profileFromDocument(document, version);
  },
};

export class ProfileHistory {
  /** Versions known to stand in the store; what was read last stays. */
  private readonly kept = new Map<string, BillerProfile>();

  constructor(
    private readonly options: {
      readonly eventStore: EventStore;
      readonly clock: Clock;
      readonly chance: Chance;
      readonly by: string;
    },
  ) {}

  /** Resolves when the version is readable by every process; adds nothing where it is already. */
  async register(profile: BillerProfile): Promise<void> {
    const { eventStore, clock, chance, by } = this.options;
    if (this.kept.has(keyOf(profile.billerId, profile.version))) return;
    for (let conflicts = 0; ; conflicts++) {
      const { revision } = await this.read(profile.billerId);
      if (this.kept.has(keyOf(profile.billerId, profile.version))) return;
      const data: RegisteredData = {
        version: profile.version,
        document: profile.document as unknown as BillerDocument,
      };
      try {
        await eventStore.append(billerProfileStream(profile.billerId), revision, [
          { id: chance.uuid(), type: REGISTERED, data, metadata: { by, at: clock.now() } },
        ]);
        this.keep(profile);
        return;
      } catch (error) {
        if (!(error instanceof VersionConflict) || conflicts >= CONFLICTS_MAX) throw error;
      }
    }
  }

  async version(biller: BillerId, version: ProfileVersion): Promise<BillerProfile | undefined> {
    const known = this.kept.get(keyOf(biller, version));
    if (known) return known;
    const { profiles } = await this.read(biller);
    return profiles.find((profile) => profile.version === version);
  }

  async newest(biller: BillerId): Promise<BillerProfile | undefined> {
    return (await this.read(biller)).profiles.at(-1);
  }

  async tenants(biller: BillerId): Promise<readonly string[]> {
    const { profiles } = await this.read(biller);
    return [...new Set(profiles.map(({ tenant }) => tenant))];
  }

  private async read(
    biller: BillerId,
  ): Promise<{ readonly profiles: readonly BillerProfile[]; readonly revision: 'new' | number }> {
    const profiles: BillerProfile[] = [];
    let revision: 'new' | number = 'new';
    for (let page = 0; page < PAGES_MAX; page++) {
      const events = await this.options.eventStore.readStream(billerProfileStream(biller), {
        fromRevision: revision === 'new' ? 0 : revision + 1,
        max: READ_EVENTS_MAX,
      });
      for (const event of events) {
        revision = event.revision;
        if (event.type !== REGISTERED) continue;
        const profile = evolved<BillerProfile | undefined, unknown>(REGISTERED_PROFILE, undefined, event);
        if (!profile) continue;
        profiles.push(profile);
        this.keep(profile);
      }
      if (events.length < READ_EVENTS_MAX) break;
    }
    return { profiles, revision };
  }

  private keep(profile: BillerProfile): void {
    this.kept.set(keyOf(profile.billerId, profile.version), profile);
    if (this.kept.size > KEPT_MAX) this.kept.delete(this.kept.keys().next().value!);
  }
}

const keyOf = (biller: BillerId, version: ProfileVersion): string => `${biller}:${version}`;
