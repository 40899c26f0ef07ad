import { type StreamName } from '../../domain/identifiers';
import { msBetween } from '../../domain/instant';
import { checkHistory, type CheckHistoryPorts, type HistoryFinding, type HistoryLook } from './check-history';
import { type Clock } from '../ports/clock';
import { type EventStore, type ExpectedRevision, type NewEvent } from '../ports/event-store';
import { type HistoryWitness } from '../ports/history-witness';
import { isDamage, isOutage, PortFailure, VersionConflict } from '../ports/failures';
import { type Telemetry } from '../ports/telemetry';

/**
 * How often each process looks, and how old a shard's mark may become while the store grows: a copy of the store that is
 * older than this, and a look, is known for one. One commit in each shard, whichever process comes first.
 */
export const HISTORY_LOOK_MS = 3_000;
/** Without a look for so long (a process that was frozen) nothing is appended before the next one. */
export const HISTORY_LEASE_MS = 15_000;

/** Looks in a row before an append, where the store fails at other calls meanwhile. */
const LOOKS_MAX = 5;

export interface HistoryGuardPorts extends Omit<CheckHistoryPorts, 'eventStore'> {
  readonly eventStore: EventStore;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export interface HistoryGuard {
  /**
   * The store as everybody uses it. Appends wait for a look where there was none yet, where the last call failed (another
   * store may answer when it comes back) and after the lease; once a history is known to be lost they are refused. A
   * biller's answer needs no look and must not wait for a shard that is slow: no store takes it that has not its start.
   */
  readonly eventStore: EventStore;
  /** Looks, and where all is well notes how far the store has come. */
  look(): Promise<readonly HistoryFinding[]>;
  /** Looks again and again; resolves with what it found when the history is lost, or with nothing when the signal aborts. */
  watch(signal: AbortSignal): Promise<readonly HistoryFinding[]>;
  /** For whoever puts a lost history right: from here on this process appends whatever stands there. */
  yield(): void;
}

const isReplaced = (error: unknown): error is PortFailure =>
  error instanceof PortFailure && error.code === 'storage-replaced';

/** What is said of an attempt that stands there already, and lets nobody call the biller. */
const statesAnswer = (stream: StreamName, expected: ExpectedRevision, events: readonly NewEvent[]): boolean =>
  expected !== 'new' &&
  stream.startsWith('deliveryAttempt-') &&
  events.every(({ type }) => type !== 'DeliveryAttemptResent');

/** unknown → sound ⇄ suspect → lost (for ever); yielded appends anything. */
export function createHistoryGuard(
  ports: HistoryGuardPorts,
  {
    lookMs = HISTORY_LOOK_MS,
    leaseMs = HISTORY_LEASE_MS,
  }: { readonly lookMs?: number; readonly leaseMs?: number } = {},
): HistoryGuard {
  const { clock, eventStore } = ports;
  let lost: readonly HistoryFinding[] = [];
  let soundUntil = -Infinity;
  let failures = 0;
  let yielded = false;
  let looking: Promise<readonly HistoryFinding[]> | undefined;
  /** Who was heard once in the life of this process. What is lost before it began may be known to one of the others alone. */
  const heard = new Set<HistoryWitness>();

  async function lookNow(isLast = false): Promise<readonly HistoryFinding[]> {
    const began = clock.monotonicMs();
    const failuresBefore = failures;
    try {
      const look = await checkHistory(ports);
      if (look.findings.length > 0) return lose(look.findings);
      for (const { witness } of look.seen) heard.add(witness);
      const unheard = look.outOfReach
        .filter((witness) => !heard.has(witness))
        .map(({ name }) => name)
        .join(', ');
      if (unheard !== '') {
        throw new PortFailure(
          `failed to look whether the event store is the one that the shards know: ${unheard} is out of reach`,
          {
            code: 'unavailable',
            retryable: true,
            facts: { witnesses: unheard },
          },
        );
      }
      await note(look, isLast);
    } catch (error) {
      if (!isReplaced(error)) throw error;
      return lose([{ witness: String(error.facts['path']), fault: 'replaced', known: undefined }]);
    }
    // What failed meanwhile may have come back as another store after this look saw the old one.
    if (failures === failuresBefore) soundUntil = began + leaseMs;
    return [];
  }

  function lose(findings: readonly HistoryFinding[]): readonly HistoryFinding[] {
    if (lost.length === 0) tell(findings);
    lost = findings;
    return lost;
  }

  function tell(findings: readonly HistoryFinding[]): void {
    const [{ witness, fault }] = findings as [HistoryFinding];
    ports.telemetry.error(
      'the event store is not the one that the shards know, nothing is appended any more',
      undefined,
      { witness, fault },
    );
  }

  /** The head is read after the old mark was found in the store: so a mark never goes back, whoever writes it. */
  async function note({ identity, seen }: HistoryLook, atOnce: boolean): Promise<void> {
    const head = await eventStore.head();
    const now = clock.now();
    const behind = seen.filter(
      ({ known }) => known === undefined || (head !== undefined && head.id !== known.mark?.id),
    );
    const due = ({ known }: HistoryLook['seen'][number]): boolean =>
      known === undefined || Math.abs(msBetween(known.notedAt, now)) >= lookMs;
    // All or none: a witness that remembers less than another was restored, or was out of reach.
    if (!atOnce && !behind.some(due)) return;
    for (const { witness, known } of behind) {
      const next = { ordinal: (known?.ordinal ?? 0) + 1, identity, mark: head, notedAt: now };
      await witness.noteHistory(next).catch((error: unknown) => {
        if ((!isOutage(error) && !isDamage(error)) || isReplaced(error)) throw error;
      });
    }
  }

  const look = (): Promise<readonly HistoryFinding[]> =>
    (looking ??= lookNow().finally(() => {
      looking = undefined;
    }));

  async function demandSound(): Promise<void> {
    if (yielded) return;
    const isSound = (): boolean => lost.length > 0 || clock.monotonicMs() < soundUntil;
    let cause: unknown;
    for (let looks = 0; looks < LOOKS_MAX && !isSound(); looks++) {
      await look().catch((error: unknown) => {
        // What is damaged there is no fault of the record in hand: it waits.
        if (!isDamage(error)) throw error;
        cause = error;
      });
    }
    if (!isSound())
      throw new PortFailure('failed to append: the event store fails at each look at it', {
        code: 'unavailable',
        retryable: true,
        cause,
      });
    if (lost.length > 0) {
      throw new PortFailure(
        'failed to append: the event store is not the one that the shards know (docs/runbooks/history-lost.md)',
        {
          code: 'history-lost',
          retryable: false,
          facts: { witness: lost[0]!.witness, fault: lost[0]!.fault },
        },
      );
    }
  }

  /** A store that went away may come back as another one. */
  async function suspecting<Answer>(call: Promise<Answer>): Promise<Answer> {
    try {
      return await call;
    } catch (error) {
      if (isOutage(error)) {
        failures++;
        soundUntil = -Infinity;
      }
      throw error;
    }
  }

  return {
    look,
    async watch(signal) {
      for (;;) {
        // The last look notes what the work still did.
        const isLast = signal.aborted;
        const found = await (isLast ? lookNow(true) : look()).catch((error: unknown) => {
          ports.telemetry.warn('failed to look whether the event store is the one that the shards know', {
            why: error instanceof PortFailure ? error.code : String(error),
          });
          return [];
        });
        if (found.length > 0 || isLast) return found;
        await clock.sleep(lookMs, signal);
      }
    },
    yield() {
      yielded = true;
    },
    eventStore: {
      append: async (stream, expected, events) => {
        const answers = statesAnswer(stream, expected, events);
        if (!answers || lost.length > 0) await demandSound();
        try {
          return await suspecting(eventStore.append(stream, expected, events));
        } catch (error) {
          // Where another store answers, this is no lost race.
          if (answers && error instanceof VersionConflict) await demandSound();
          throw error;
        }
      },
      readStream: (stream, options) => suspecting(eventStore.readStream(stream, options)),
      readAll: (options) => suspecting(eventStore.readAll(options)),
      identity: () => suspecting(eventStore.identity()),
      head: () => suspecting(eventStore.head()),
      holds: (event) => suspecting(eventStore.holds(event)),
      isAfter: (position, other) => eventStore.isAfter(position, other),
    },
  };
}
