import { type ServiceIdentifier } from 'inversify';
import { type FileBillerProfiles } from '../../adapters/biller-profiles/file-biller-profiles';
import { type BillerControl } from '../../application/biller-control';
import { type History } from '../../application/history';
import { type MessageContracts } from '../../application/messages';
import { type BillerAllowance } from '../../application/ports/biller-allowance';
import { type BillerGateway } from '../../application/ports/biller-gateway';
import { type BillerProfiles } from '../../application/ports/biller-profiles';
import { type Chance } from '../../application/ports/chance';
import { type Clock } from '../../application/ports/clock';
import { type Digest } from '../../application/ports/digest';
import { type EventStore } from '../../application/ports/event-store';
import { type MessageBus } from '../../application/ports/message-bus';
import { type RecordProjection } from '../../application/ports/record-projection';
import { type SecretSource } from '../../application/ports/secret-source';
import { type Shards } from '../../application/ports/shard';
import { type Telemetry } from '../../application/ports/telemetry';
import { type TokenCache } from '../../application/ports/token-cache';
import { type RelayOutbox } from '../../application/relay-outbox';
import { type ShardClock } from '../../application/shard-clock';
import { type TopologySettings } from '../../application/topology';
import { type Settings } from '../configuration/declarations';
import { type Lifecycle } from '../lifecycle';
import { type Health } from '../processes/health';
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
  telemetry: token<Telemetry>('telemetry'),
  clock: token<Clock>('clock'),
  chance: token<Chance>('chance'),
  digest: token<Digest>('digest'),
  secrets: token<SecretSource>('secrets'),
  tokens: token<TokenCache>('token-cache'),
  eventStore: token<EventStore>('event-store'),
  bus: token<MessageBus>('message-bus'),
  shards: token<Shards>('shards'),
  allowance: token<BillerAllowance>('biller-allowance'),
  projection: token<RecordProjection>('record-projection'),
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
