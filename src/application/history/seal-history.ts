import {
  digestOfSeal,
  firstDifference,
  FIRST_PREVIOUS,
  idOfSeal,
  isSealStream,
  placeOfSeal,
  type Seal,
  SEALED_EVENTS_MAX,
} from './history-seal';
import { latest } from '../../domain/instant';
import { type Clock } from '../ports/clock';
import { type EventLog, type LoggedEvent } from '../ports/event-log';
import { type EventStore, type Position } from '../ports/event-store';
import { causeChain, VersionConflict } from '../ports/failures';
import { LEAF_DIGITS, type SealCryptography } from '../ports/seal-cryptography';
import { COPIES_PER_CALL_MAX, type SealWitness } from '../ports/seal-witness';
import { type Telemetry } from '../ports/telemetry';
import { newestSeal, sealsFrom, type StoredSeal } from './stored-seals';

export interface SealHistoryPorts {
  readonly eventStore: EventStore;
  readonly eventLog: EventLog;
  readonly witnesses: readonly SealWitness[];
  readonly cryptography: SealCryptography;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export interface SealHistorySettings {
  readonly by: string;
  /** One pass seals at most so many times a thousand events; the next pass goes on. */
  readonly sealsPerPassMax: number;
}

export interface SealPass {
  readonly seals: number;
  readonly events: number;
  /** Why nothing (more) may be sealed until a person has looked. */
  readonly stopped?: string;
}

/** Other sealers that were first, in one pass. */
const CONFLICTS_MAX = 20;
/** Copies are brought up to date after so many seals, not after each: one commit carries them all. */
const SEALS_BETWEEN_COPIES = 50;
const NOTES_MAX = 20;

/**
 * Seals what is new in the event store: one pass. Any number of processes may do so at the same time: a seal is appended
 * at the revision that follows the seal it stands on, so one of them wins and the others go on from there. Between two
 * batches it rests as long as the batch took: it never takes more than half of one core.
 */
export function sealHistory(ports: SealHistoryPorts, settings: SealHistorySettings) {
  const { clock, telemetry } = ports;
  let known = 0;
  /** What the next seal has to tell; each once. */
  const notes = new Set<string>();

  return async (signal?: AbortSignal): Promise<SealPass> => {
    let head = await newestSeal(ports.eventStore, known);
    let seals = 0;
    let events = 0;
    let conflicts = 0;
    let copies = new Map<string, number>();
    for (let since = SEALS_BETWEEN_COPIES; seals < settings.sealsPerPassMax && !signal?.aborted; since++) {
      if (head && !head.seal) return stop(`what stands at seal ${head.number} of the event store is no seal`);
      if (since >= SEALS_BETWEEN_COPIES) {
        const witnessed = await bringCopiesUpToDate(ports, head, notes);
        if (witnessed.behind !== undefined) {
          // Another sealer may have gone on since the store was read.
          const again = await newestSeal(ports.eventStore, head?.number ?? 0);
          if ((again?.number ?? 0) === (head?.number ?? 0)) return stop(witnessed.behind);
          head = again;
          if (++conflicts > CONFLICTS_MAX) break;
          since--;
          continue;
        }
        copies = witnessed.copies;
        since = 0;
      }
      const beganAt = clock.monotonicMs();
      const batch = await unsealed(ports.eventLog, head?.seal?.through as Position | undefined);
      if (batch.unreadable.length > 0)
        return stop(`the event store has places that cannot be read: ${batch.unreadable[0]}`);
      if (batch.events.length === 0) break;
      for (const { stream, revision, oddity } of batch.events)
        if (oddity !== undefined) notes.add(`${stream}@${revision}: ${oddity}`);
      const seal = sealOver(ports, head?.seal, batch.events, copies, [...notes].slice(0, NOTES_MAX), settings.by);
      const appended = await append(ports.eventStore, seal);
      if (appended) {
        seals++;
        events += seal.events;
        notes.clear();
        head = appended;
        known = seal.number;
      } else {
        head = await newestSeal(ports.eventStore, head?.number ?? 0);
        if (++conflicts > CONFLICTS_MAX) break;
      }
      if (batch.events.length < SEALED_EVENTS_MAX) break;
      await clock.sleep(clock.monotonicMs() - beganAt, signal);
    }
    if (seals > 0) await bringCopiesUpToDate(ports, head, notes);
    return { seals, events };

    function stop(why: string): SealPass {
      telemetry.error('the history is not sealed any further: docs/runbooks/history-tampered.md', new Error(why), {
        seals,
      });
      return { seals, events, stopped: why };
    }
  };
}

/** The events behind a position, without seals: at most as many as one seal covers. */
async function unsealed(eventLog: EventLog, after: Position | undefined) {
  const events: LoggedEvent[] = [];
  const unreadable: string[] = [];
  let reached = after;
  while (events.length < SEALED_EVENTS_MAX) {
    const page = await eventLog.page({
      max: SEALED_EVENTS_MAX - events.length,
      ...(reached === undefined ? {} : { after: reached }),
    });
    events.push(...page.events.filter(({ stream }) => !isSealStream(stream)));
    unreadable.push(...page.unreadable);
    if (page.events.length === 0 || unreadable.length > 0) break;
    reached = page.next;
  }
  return { events, unreadable };
}

function sealOver(
  { cryptography, clock }: SealHistoryPorts,
  head: Seal | undefined,
  events: readonly LoggedEvent[],
  copies: ReadonlyMap<string, number>,
  notes: readonly string[],
  by: string,
): Seal {
  const digests = events.map((event) => cryptography.ofEvent(event));
  const now = clock.now();
  const unsigned = {
    number: (head?.number ?? 0) + 1,
    previous: head?.digest ?? FIRST_PREVIOUS,
    through: events.at(-1)!.position,
    events: events.length,
    root: cryptography.ofText(digests.join('')),
    ...cryptography.pack(
      events.map(({ stream, revision }, place) => ({
        name: `${stream}@${revision}`,
        leaf: digests[place]!.slice(0, LEAF_DIGITS),
      })),
    ),
    copies: [...copies].map(([witness, upTo]) => ({ witness, upTo })),
    notes,
    by,
    // A clock that was set back must not make seals look older than those before them: --since looks for times.
    at: head ? latest(head.at, now) : now,
  };
  const digest = digestOfSeal(cryptography, unsigned);
  return { ...unsigned, digest, ...cryptography.sign(digest) };
}

/** Undefined: another sealer was first. */
async function append(eventStore: EventStore, seal: Seal): Promise<StoredSeal | undefined> {
  const { stream, revision } = placeOfSeal(seal.number);
  const event = { id: idOfSeal(seal), type: 'HistorySealed', data: seal, metadata: { by: seal.by, at: seal.at } };
  try {
    await eventStore.append(stream, revision === 0 ? 'new' : revision - 1, [event]);
    return { number: seal.number, seal, event: { ...event, stream, revision, position: '' as Position } };
  } catch (error) {
    if (error instanceof VersionConflict) return undefined;
    throw error;
  }
}

/** Gives each copy what it lacks; up to which seal each reaches; `behind`: a copy knows seals that the store has lost. */
async function bringCopiesUpToDate(ports: SealHistoryPorts, head: StoredSeal | undefined, notes: Set<string>) {
  const copies = new Map<string, number>();
  let behind: string | undefined;
  for (const witness of ports.witnesses) {
    const told = head?.seal?.copies.find((each) => each.witness === witness.name)?.upTo ?? 0;
    try {
      const newest = (await witness.newest())?.number ?? 0;
      if (newest > (head?.number ?? 0)) {
        behind ??= `the event store ends at seal ${head?.number ?? 0} and ${witness.name} (${witness.place}) knows ${newest}: events and seals were taken away, or an older event store was restored`;
        continue;
      }
      if (newest < told)
        notes.add(
          `${witness.name} reached seal ${newest} alone and had reached ${told}: it was cut, moved or restored`,
        );
      copies.set(witness.name, await copyFrom(ports, witness, newest + 1, head?.number ?? 0, notes));
    } catch (error) {
      copies.set(witness.name, told);
      ports.telemetry.warn('a copy of the seals cannot be kept, it is caught up later', {
        witness: witness.name,
        cause: causeChain(error),
      });
    }
  }
  return { copies, behind };
}

/** Nothing is copied over a copy that says otherwise: the older word stays, and the verification tells of it. */
async function copyFrom(
  { eventStore, cryptography }: SealHistoryPorts,
  witness: SealWitness,
  from: number,
  upTo: number,
  notes: Set<string>,
): Promise<number> {
  let reached = from - 1;
  let last = await witness.newest();
  if (last) {
    const [own] = await sealsFrom(eventStore, last.number, 1);
    if (!own?.seal || firstDifference(own.seal, last) !== undefined) {
      notes.add(`seal ${last.number} in ${witness.name} is another one than in the event store`);
      return reached;
    }
  }
  while (reached < upTo) {
    const page = await sealsFrom(eventStore, reached + 1, COPIES_PER_CALL_MAX);
    const seals = page.flatMap(({ seal }) => seal ?? []).filter((seal) => seal.number <= upTo);
    const sound = seals.every((seal, place) => {
      const before = place === 0 ? (last?.digest ?? FIRST_PREVIOUS) : seals[place - 1]!.digest;
      return (
        seal.number === reached + 1 + place &&
        seal.previous === before &&
        digestOfSeal(cryptography, seal) === seal.digest
      );
    });
    if (seals.length === 0 || !sound || (await witness.keep(seals)) === 'refused') {
      notes.add(
        `the seals from ${reached + 1} on cannot be copied to ${witness.name}: they do not follow on its last one`,
      );
      break;
    }
    last = seals.at(-1);
    reached = last!.number;
  }
  return reached;
}
