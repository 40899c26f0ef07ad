import { type Instant } from '../../domain/instant';
import {
  digestOfSeal,
  firstDifference,
  FIRST_PREVIOUS,
  isSealStream,
  type Seal,
  type SealCopy,
} from '../history/history-seal';
import { type EventLog, LOG_PAGE_EVENTS_MAX } from '../ports/event-log';
import { type EventStore, type Position } from '../ports/event-store';
import { causeChain, isOutage } from '../ports/failures';
import { LEAF_DIGITS, type SealCryptography } from '../ports/seal-cryptography';
import { type SealWitness, type SetAside } from '../ports/seal-witness';
import { belongsToSeals, newestSeal } from '../history/stored-seals';
import { type ActualEvent, compareSealed, type HistoryDifference } from './compare-sealed';
import { SealSignatures } from './seal-signatures';
import { believedCopy, envelopeProblem, type FoundCopy, SealCursor, StoredSealCursor, wholeSeal } from './seal-sources';

export interface VerifyHistoryPorts {
  readonly eventStore: EventStore;
  readonly eventLog: EventLog;
  readonly witnesses: readonly SealWitness[];
  readonly cryptography: SealCryptography;
}

export interface HistoryVerification {
  readonly differences: readonly HistoryDifference[];
  /** All of them, where `differences` names the first ones alone. */
  readonly differencesFound: number;
  readonly events: number;
  /** Numbers of the first and the last seal that were looked at; 0: there is none. */
  readonly seals: { readonly from: number; readonly to: number };
  readonly sources: readonly {
    readonly name: string;
    readonly place: string;
    readonly seals: number;
    readonly notCopiedYet: number;
  }[];
  readonly signatures: { readonly keyGiven: boolean; readonly sound: number; readonly unsigned: number };
  readonly unsealed: { readonly events: number; readonly since: string | undefined };
  readonly asides: readonly (SetAside & { readonly witness: string })[];
  /** What sealers noted while they sealed. */
  readonly notes: readonly string[];
}

export interface VerifyProgress {
  readonly events: number;
  readonly seal: number;
  readonly sealsKnown: number;
}

const DIFFERENCES_MAX = 1_000;
const NOTES_MAX = 100;
/** Events of one range that are held to be compared: somebody may have put in any number. */
const RANGE_EVENTS_MAX = 10_000;

/** Reads the seals that were made since an instant (all where none is given) and every event they cover, and the tail. */
export function verifyHistory(ports: VerifyHistoryPorts) {
  return (since?: Instant, progress?: (reached: VerifyProgress) => void): Promise<HistoryVerification> =>
    new Verification(ports, progress ?? (() => undefined)).run(since);
}

class Verification {
  private readonly differences: HistoryDifference[] = [];
  private found = 0;
  private events = 0;
  private readonly signatures: SealSignatures;
  /** Of the seal in hand: which events it covers, where any sound copy keeps that. */
  private lists: Seal | undefined;
  /** Before the seal in hand one is missing everywhere: where its range begins is not known. */
  private gap = false;
  private readonly notes: string[] = [];
  private readonly missing = new Map<string, number[]>();
  private readonly confirmed = new Map<string, number>();
  private readonly cursors: readonly SealCursor[];
  private readonly stored: StoredSealCursor;

  constructor(
    private readonly ports: VerifyHistoryPorts,
    private readonly progress: (reached: VerifyProgress) => void,
  ) {
    this.cursors = ports.witnesses.map((witness) => new SealCursor(witness));
    this.stored = new StoredSealCursor(ports.eventStore);
    this.signatures = new SealSignatures(ports.cryptography);
  }

  async run(since: Instant | undefined): Promise<HistoryVerification> {
    await Promise.all(this.cursors.map((cursor) => cursor.open()));
    const known = Math.max(0, ...this.cursors.map(({ newest }) => newest));
    let from = since === undefined ? 1 : await this.firstSince(since, known);
    let before = from === 1 ? undefined : await this.seal(from - 1, undefined);
    if (!before) from = 1;
    let number = from;
    let reached = before?.through as Position | undefined;
    for (; number <= known || (await this.stored.goesOn(number)); number++) {
      const believed = await this.seal(number, before);
      this.gap ||= !believed;
      if (!believed) continue;
      if (await this.range(believed, reached)) reached = believed.through as Position;
      this.gap = false;
      before = believed;
      this.progress({ events: this.events, seal: number, sealsKnown: Math.max(known, number) });
    }
    if (this.stored.failure !== undefined)
      this.tell({ kind: 'unreadable', seal: number, what: `in the event store: ${this.stored.failure}` });
    const unsealed = await this.tail(reached);
    this.judgeCopies(number - 1);
    if (this.signatures.lacksAll())
      this.tell({
        kind: 'signature',
        seal: number - 1,
        what: 'no seal up to the newest is signed, though a key is given',
      });
    return {
      differences: this.differences,
      differencesFound: this.found,
      events: this.events,
      seals: { from: number > from ? from : 0, to: number - 1 },
      sources: [
        { name: 'event store', place: this.ports.eventLog.place, seals: this.stored.read, notCopiedYet: 0 },
        ...this.cursors.map((cursor) => ({
          name: cursor.name,
          place: cursor.place,
          seals: cursor.read,
          notCopiedYet: this.lag(cursor.name),
        })),
      ],
      signatures: {
        keyGiven: this.ports.cryptography.canCheck,
        sound: this.signatures.sound,
        unsigned: this.signatures.unsigned,
      },
      unsealed,
      asides: await this.asides(),
      notes: this.notes,
    };
  }

  private tell(difference: HistoryDifference): void {
    this.found++;
    if (this.differences.length < DIFFERENCES_MAX) this.differences.push(difference);
  }

  /** The first seal made at or after an instant: whatever was appended since is covered by it or by later ones. */
  private async firstSince(since: Instant, known: number): Promise<number> {
    const timeOf = async (number: number): Promise<string | undefined> => {
      for (const witness of this.ports.witnesses) {
        const [copy] = await witness.read({ from: number, max: 1 }).catch(() => []);
        if (copy?.number === number && copy.digest !== 'unreadable') return copy.at;
      }
      const seal = await this.stored.at(number);
      return seal === undefined || seal === 'damaged' ? undefined : seal.seal?.at;
    };
    const last = Math.max(known, (await newestSeal(this.ports.eventStore))?.number ?? 0);
    let [low, high] = [0, last + 1];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      const at = await timeOf(middle);
      if (at !== undefined && at < since) low = middle;
      else high = middle;
    }
    return high;
  }

  /** Compares all copies of one seal; the one that is believed, undefined where there is none at all. */
  private async seal(number: number, before: SealCopy | undefined): Promise<SealCopy | undefined> {
    const { cryptography } = this.ports;
    const found: FoundCopy[] = [];
    const stored = await this.stored.at(number);
    if (stored === 'damaged')
      this.tell({ kind: 'unreadable', seal: number, what: 'the seal in the event store cannot be read' });
    else if (stored?.seal?.number === number) found.push({ source: 'event store', copy: stored.seal, outside: false });
    if (stored !== 'damaged' && stored) {
      const problem =
        envelopeProblem(stored) ??
        (stored.seal!.number === number ? undefined : `it says that it is seal ${stored.seal!.number}`);
      if (problem !== undefined) this.tell({ kind: 'seal', seal: number, what: `in the event store: ${problem}` });
    }
    for (const cursor of this.cursors) {
      const copy = await cursor.at(number);
      if (copy) found.push({ source: cursor.name, copy, outside: true });
      else this.missingIn(cursor.name).push(number);
    }
    const isWhole = (copy: SealCopy): copy is Seal =>
      copy.names !== undefined && digestOfSeal(cryptography, copy as Seal) === copy.digest;
    const believed = believedCopy(found, { isWhole, isSigned: (copy) => this.signatures.isSound(copy) });
    if (!believed) {
      this.tell({ kind: 'seal', seal: number, what: 'the seal is missing everywhere; its range is checked with none' });
      return undefined;
    }
    if (!stored)
      this.tell({
        kind: 'seal',
        seal: number,
        what: `the seal is missing from the event store, ${found.map(({ source }) => source).join(' and ')} keeps it`,
      });
    for (const { source, copy } of found) {
      const member = copy === believed ? undefined : firstDifference(believed, copy);
      if (member !== undefined)
        this.tell({
          kind: 'copy',
          seal: number,
          what: `${source} says otherwise than what is believed (${member}): it was changed there`,
        });
      else if (copy.names !== undefined && !isWhole(copy))
        this.tell({
          kind: 'copy',
          seal: number,
          what: `${source}: its digest does not fit what it says, so it was changed there`,
        });
    }
    if (
      before && !this.gap ? believed.previous !== before.digest : number === 1 && believed.previous !== FIRST_PREVIOUS
    )
      this.tell({ kind: 'seal', seal: number, what: `it does not follow on seal ${number - 1}: the chain is broken` });
    const unsound = this.signatures.problem(believed);
    if (unsound !== undefined) this.tell({ kind: 'signature', seal: number, what: unsound });
    const whole = found
      .map(({ copy }) => copy)
      .find((copy): copy is Seal => copy.digest === believed.digest && isWhole(copy));
    for (const { witness, upTo } of whole?.copies ?? [])
      this.confirmed.set(witness, Math.max(upTo, this.confirmed.get(witness) ?? 0));
    for (const note of whole?.notes ?? [])
      if (this.notes.length < NOTES_MAX) this.notes.push(`seal ${number}: ${note}`);
    this.lists = wholeSeal(found, believed);
    return believed;
  }

  /** Reads the events behind the seal before and compares them with this one; false: its end is no place to go on from. */
  private async range(seal: SealCopy, after: Position | undefined): Promise<boolean> {
    const lists = this.lists;
    let actual: readonly ActualEvent[];
    let digests: string;
    let count: number;
    try {
      ({ actual, digests, count } = await this.eventsOf(seal, after));
    } catch (error) {
      if (isOutage(error)) throw error;
      this.tell({ kind: 'range', seal: seal.number, what: `its events cannot be read: ${causeChain(error)}` });
      return false;
    }
    for (const event of actual)
      if (event.oddity !== undefined)
        this.tell({ kind: 'hidden', seal: seal.number, ...partsOf(event.name), what: event.oddity });
    const last = actual.at(-1)?.position;
    if (count === seal.events && digests === seal.root && last === seal.through) return true;
    const named = lists && this.ports.cryptography.unpack(lists);
    const told = named ? compareSealed(seal.number, named, actual) : [];
    for (const difference of told) this.tell(difference);
    if (told.length === 0 || count > actual.length)
      this.tell({
        kind: 'range',
        seal: seal.number,
        what: `holds ${count} events up to position ${last ?? 'none'}, and ${seal.events} up to ${seal.through} were sealed: what stands there is not what was sealed`,
      });
    return true;
  }

  private async eventsOf(seal: SealCopy, after: Position | undefined) {
    const { eventLog, cryptography } = this.ports;
    const actual: ActualEvent[] = [];
    const digests: string[] = [];
    let count = 0;
    let reached = after;
    for (;;) {
      const page = await eventLog.page({
        max: LOG_PAGE_EVENTS_MAX,
        upTo: seal.through as Position,
        ...(reached === undefined ? {} : { after: reached }),
      });
      for (const what of page.unreadable) this.tell({ kind: 'unreadable', seal: seal.number, what });
      for (const event of page.events) {
        if (this.isSeal(event.stream, event.revision, seal.number)) continue;
        const digest = cryptography.ofEvent(event);
        count++;
        if (count > RANGE_EVENTS_MAX) continue;
        digests.push(digest);
        const { stream, revision, type, position, oddity } = event;
        actual.push({ name: `${stream}@${revision}`, leaf: digest.slice(0, LEAF_DIGITS), type, position, oddity });
      }
      this.events += page.events.length;
      if (
        page.next === reached ||
        page.next === undefined ||
        (page.events.length < LOG_PAGE_EVENTS_MAX && page.unreadable.length === 0)
      )
        break;
      reached = page.next;
    }
    const known = this.gap ? -seal.events : 0;
    const covered = digests.slice(known);
    return {
      actual: actual.slice(known),
      count: this.gap ? covered.length : count,
      digests: cryptography.ofText(covered.join('')),
    };
  }

  /** What stands among the seals is compared by their numbers; what only looks as if it did has slipped in. */
  private isSeal(stream: string, revision: string, seal: number | undefined): boolean {
    if (!isSealStream(stream)) return false;
    if (!belongsToSeals(stream))
      this.tell({ kind: 'added', seal, stream, revision, what: 'no seal is kept in a stream of that name' });
    return true;
  }

  private async tail(
    after: Position | undefined,
  ): Promise<{ readonly events: number; readonly since: string | undefined }> {
    let reached = after;
    let events = 0;
    let since: string | undefined;
    for (;;) {
      const page = await this.ports.eventLog.page({
        max: LOG_PAGE_EVENTS_MAX,
        ...(reached === undefined ? {} : { after: reached }),
      });
      for (const what of page.unreadable) this.tell({ kind: 'unreadable', seal: undefined, what });
      for (const { stream, revision, metadata, oddity } of page.events) {
        if (oddity !== undefined) this.tell({ kind: 'hidden', seal: undefined, stream, revision, what: oddity });
        if (this.isSeal(stream, revision, undefined)) continue;
        events++;
        since ??= /"at":"([^"]{1,40})"/.exec(metadata)?.[1];
      }
      this.events += page.events.length;
      if (page.next === reached || page.next === undefined) return { events, since };
      reached = page.next;
    }
  }

  private missingIn(name: string): number[] {
    const missing = this.missing.get(name) ?? [];
    this.missing.set(name, missing);
    return missing;
  }

  private lag(name: string): number {
    const upTo = this.confirmed.get(name) ?? 0;
    return this.missingIn(name).filter((number) => number > upTo).length;
  }

  /** A copy that was known to reach further than it does now was cut; one that was never known to is only late. */
  private judgeCopies(last: number): void {
    for (const cursor of this.cursors) {
      if (cursor.failure !== undefined)
        this.tell({ kind: 'copy', seal: undefined, what: `${cursor.name} cannot be read: ${cursor.failure}` });
      const upTo = this.confirmed.get(cursor.name) ?? 0;
      const gone = this.missingIn(cursor.name).filter((number) => number <= Math.max(upTo, cursor.newest));
      if (cursor.failure === undefined && gone.length > 0)
        this.tell({
          kind: 'copy',
          seal: gone[0],
          what: `${cursor.name} (${cursor.place}) lacks ${gone.length} of the seals up to ${gone.at(-1)!}, and had them: it was cut, moved or restored`,
        });
    }
    for (const [witness, upTo] of this.confirmed)
      if (!this.cursors.some(({ name }) => name === witness) && upTo > 0 && this.notes.length < NOTES_MAX)
        this.notes.push(
          `${witness} kept seals up to ${upTo} of ${last} and was not asked: the settings do not name it any more`,
        );
  }

  private async asides(): Promise<readonly (SetAside & { readonly witness: string })[]> {
    const all = await Promise.all(
      this.ports.witnesses.map(async (witness) =>
        (await witness.asides().catch(() => [])).map((aside) => ({ ...aside, witness: witness.name })),
      ),
    );
    return all.flat();
  }
}

function partsOf(name: string): { readonly stream: string; readonly revision: string } {
  const at = name.lastIndexOf('@');
  return { stream: name.slice(0, at), revision: name.slice(at + 1) };
}
