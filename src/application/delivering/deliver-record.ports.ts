import { type History } from '../history/history';
import { type MessageContracts } from '../messaging/messages';
import { type EventsTopology } from '../messaging/topology';
import { type BillerControl } from '../operating/biller-control';
import { type BillerGateway } from '../ports/biller-gateway';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type Chance } from '../ports/chance';
import { type Clock } from '../ports/clock';
import { type Digest } from '../ports/digest';
import { type MessageBus } from '../ports/message-bus';
import { type Shards } from '../ports/shard';
import { type Telemetry } from '../ports/telemetry';
import { type ShardClock } from '../shard-clock';

export interface DeliverRecordPorts {
  readonly history: History;
  readonly shards: Shards;
  readonly shardClock: ShardClock;
  readonly bus: MessageBus;
  readonly profiles: BillerProfiles;
  readonly gateway: BillerGateway;
  readonly control: BillerControl;
  readonly contracts: MessageContracts;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly digest: Digest;
  readonly telemetry: Telemetry;
}

export interface DeliverRecordSettings extends EventsTopology {
  /** For how long the broker locks a message: with a message's lockedUntil it tells the broker's time. */
  readonly lockMs: number;
  /** How long a record may wait for the biller's permit before it is parked. */
  readonly permitWaitMs: number;
}
