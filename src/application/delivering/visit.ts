import { type BillerControlState, uncontrolled } from '../../domain/biller/biller-control.state';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import {
  type ClosedAttempt,
  type DeliveryAttempt,
  type OpenAttempt,
} from '../../domain/delivery-attempt/delivery-attempt.state';
import { type DpRecord, type KnownDpRecord, type Pending } from '../../domain/dp-record/dp-record.state';
import { type DpRow } from '../../domain/dp-record/dp-row';
import { type BillerId, type RecordKey } from '../../domain/identifiers';
import { invariant } from '../../domain/invariant';
import { type DoubtTerms } from '../../domain/policies/in-doubt-resolution';
import { type Loaded } from '../history/history';
import { shardOfRecord } from '../messaging/find-shard';
import { type RecordMessage } from '../messaging/messages';
import { type ReceivedMessage } from '../ports/message-bus';
import { type Shard } from '../ports/shard';
import { type Gate, gateOf } from './biller-gate';
import { type DeliverRecordPorts } from './deliver-record.ports';

/** A message whose contract and shard were found sound. */
export interface MessageInHand {
  readonly message: RecordMessage;
  readonly received: ReceivedMessage;
  /** By the monotonic clock of this process. */
  readonly receivedAtMs: number;
  /** Where the message says that its record lies. */
  readonly shard: Shard;
}

/**
 * What was read of one record for one message, and what this visit has appended since. Never changed: a step that moves
 * the record makes another.
 */
export interface Visit extends MessageInHand {
  readonly key: RecordKey;
  readonly record: Loaded<DpRecord>;
  /** The record's newest attempt. */
  readonly attempt: Loaded<DeliveryAttempt>;
  readonly row: DpRow | undefined;
  readonly profile: BillerProfile | undefined;
  /** The profile as the open attempt's start named it. */
  readonly attemptProfile: BillerProfile | undefined;
  readonly gate: Gate | undefined;
  readonly ratePerSecond: number | undefined;
  /** Throws where the operators' orders to this biller could not be read: called before anything that may reach it. */
  readonly demandControl: () => void;
}

export type KnownVisit = Visit & { readonly record: Loaded<KnownDpRecord> };
export type PendingVisit = Visit & { readonly record: Loaded<Pending> };
export type OpenVisit = Visit & { readonly attempt: Loaded<OpenAttempt> };
export type ClosedVisit = KnownVisit & { readonly attempt: Loaded<ClosedAttempt> };

/** Reads all that one look at a record needs. */
export function readVisits(ports: DeliverRecordPorts) {
  return async (hand: MessageInHand): Promise<Visit> => {
    const { message, shard: told } = hand;
    const key = message.traceId;
    const [record, rowFound, profile, control] = await Promise.all([
      ports.history.record(key),
      told.findRow(message.dpId),
      ports.profiles.current(message.billerId),
      readControl(ports, message.billerId),
    ]);
    const shard = shardOfRecord(ports.shards, record.state, told);
    const row = shard === told ? rowFound : await shard.findRow(message.dpId);
    // After the row, never before it: a result that reaches the row between two reads in the other order would look like
    // a shard that knows more than its stream.
    const attempt = await ports.history.attempt(key, newestAttempt(record.state));
    const attemptProfile =
      attempt.state.status === 'open'
        ? await ports.profiles.version(message.billerId, attempt.state.started.profileVersion)
        : undefined;
    const gate = gateOf(profile, control.state, await ports.shardClock.atLeast(shard));
    const { ratePerSecond } = control.state;
    const demandControl = control.demand;
    return { ...hand, key, shard, record, attempt, row, profile, attemptProfile, gate, ratePerSecond, demandControl };
  };
}

function newestAttempt(record: DpRecord): number {
  if (record.status === 'unknown') return 1;
  return record.status === 'in-doubt' ? record.attempt : record.nextAttempt;
}

interface ReadControl {
  readonly state: BillerControlState;
  readonly demand: () => void;
}

/** Orders that cannot be read stop calls, as a pause does, and nothing else: what is known already is still written down. */
async function readControl({ control }: DeliverRecordPorts, biller: BillerId): Promise<ReadControl> {
  try {
    return { state: await control.state(biller), demand: () => undefined };
  } catch (error) {
    const demand = (): never => {
      throw error;
    };
    return { state: uncontrolled, demand };
  }
}

export const termsOf = (profile: BillerProfile | undefined): DoubtTerms | undefined =>
  profile && { quarantineMs: profile.quarantineMs, capability: profile.capability };

/* What a step may rely on, as types: the step was chosen for such a record, so another is a defect of ours. */

export function knownVisit(visit: Visit): KnownVisit {
  const { state, revision } = visit.record;
  invariant(state.status !== 'unknown', `record ${visit.key} has no stream`);
  return { ...visit, record: { state, revision } };
}

export function pendingVisit(visit: Visit): PendingVisit {
  const { state, revision } = visit.record;
  invariant(state.status === 'pending', `record ${visit.key} is to be called for while ${state.status}`);
  return { ...visit, record: { state, revision } };
}

export function openVisit(visit: Visit): OpenVisit {
  const { state, revision } = visit.attempt;
  invariant(state.status === 'open', `the attempt of ${visit.key} is in doubt while ${state.status}`);
  return { ...visit, attempt: { state, revision } };
}

export function closedVisit(visit: Visit): ClosedVisit {
  const { state, revision } = visit.attempt;
  invariant(state.status === 'closed', `the attempt of ${visit.key} is concluded while ${state.status}`);
  return { ...knownVisit(visit), attempt: { state, revision } };
}
