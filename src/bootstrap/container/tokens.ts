import { type ServiceIdentifier } from 'inversify';
import { type MetricSeries } from '../../adapters/telemetry/metric-series';
import { type FileBillerProfiles } from '../../adapters/biller-profiles/file-biller-profiles';
import { type BillerControl } from '../../application/operating/biller-control';
import { type History } from '../../application/history/history';
import { type HistoryGuard } from '../../application/history/history-guard';
import { type MessageContracts } from '../../application/messaging/messages';
import { type AnswerSnippets } from '../../application/ports/answer-snippets';
import { type BillerAllowance } from '../../application/ports/biller-allowance';
import { type BillerGateway } from '../../application/ports/biller-gateway';
import { type BillerProfiles } from '../../application/ports/biller-profiles';
import { type Chance } from '../../application/ports/chance';
import { type Clock } from '../../application/ports/clock';
import { type Digest } from '../../application/ports/digest';
import { type EventLog } from '../../application/ports/event-log';
import { type EventStore } from '../../application/ports/event-store';
import { type FailureProjections } from '../../application/ports/failure-projection';
import { type HistoryWitness } from '../../application/ports/history-witness';
import { type MessageBus } from '../../application/ports/message-bus';
import { type RecordProjections } from '../../application/ports/record-projection';
import { type SealWitness } from '../../application/ports/seal-witness';
import { type SecretSource } from '../../application/ports/secret-source';
import { type Shards } from '../../application/ports/shard';
import { type Instruments } from '../../application/ports/telemetry';
import { type TokenCache } from '../../application/ports/token-cache';
import { type RelayOutbox } from '../../application/scanning/relay-outbox';
import { type ShardClock } from '../../application/shard-clock';
import { type TopologySettings } from '../../application/messaging/topology';
import { type Settings } from '../configuration/declarations';
import { type Lifecycle } from '../lifecycle';
import { type Health } from '../processes/health';
import { type Watching } from '../telemetry/watching';
import { type StartCheck } from './start-check';

/** Typed: a bare symbol would let two dependencies swap places and still compile. */
const token = <Service>(name: string): ServiceIdentifier<Service> => Symbol.for(`datapump:${name}`);

export const TOKENS = {
  settings: token<Settings>('settings'),
  /** Which process this is, such as `consumer-payments@host:1234`: the `by` of its events. */
  processName: token<string>('process-name'),
  lifecycle: token<Lifecycle>('lifecycle'),
  health: token<Health>('health'),
  topology: token<TopologySettings>('topology'),
  telemetry: token<Instruments>('telemetry'),
  series: token<MetricSeries>('metric-series'),
  watching: token<Watching>('watching'),
  clock: token<Clock>('clock'),
  chance: token<Chance>('chance'),
  digest: token<Digest>('digest'),
  secrets: token<SecretSource>('secrets'),
  tokens: token<TokenCache>('token-cache'),
  eventStore: token<EventStore>('event-store'),
  eventLog: token<EventLog>('event-log'),
  /** Of each part of the stack that keeps copies of the seals: ask for all of them. */
  sealWitnesses: token<() => readonly SealWitness[]>('seal-witnesses'),
  /** For the guard, and for whoever looks whether it answers at all. */
  unguardedEventStore: token<EventStore>('unguarded-event-store'),
  historyGuard: token<HistoryGuard>('history-guard'),
  historyWitness: token<HistoryWitness>('history-witness'),
  bus: token<MessageBus>('message-bus'),
  shards: token<Shards>('shards'),
  allowance: token<BillerAllowance>('biller-allowance'),
  projections: token<RecordProjections>('record-projections'),
  failureProjections: token<FailureProjections>('failure-projections'),
  snippets: token<AnswerSnippets>('answer-snippets'),
  profiles: token<BillerProfiles>('biller-profiles'),
  /** The same profiles with what is wrong with their files, for the start and for people. */
  profileFiles: token<FileBillerProfiles>('biller-profile-files'),
  gateway: token<BillerGateway>('biller-gateway'),
  contracts: token<MessageContracts>('message-contracts'),
  history: token<History>('history'),
  shardClock: token<ShardClock>('shard-clock'),
  control: token<BillerControl>('biller-control'),
  /** One of each stack's parts: ask for all of them. */
  startChecks: token<StartCheck>('start-checks'),
  relayOutbox: token<RelayOutbox>('relay-outbox'),
} as const;
