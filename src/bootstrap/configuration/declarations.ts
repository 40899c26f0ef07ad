import { ROWS_PER_CALL_MAX } from '../../application/ports/shard';
import { MESSAGES_PER_CALL_MAX } from '../../application/ports/message-bus';
import { choice, flag, listOf, optional, type SettingKind, text, url, wholeNumber } from './setting-kinds';
import { DEFAULT_SUBSCRIPTIONS, subscriptionNames } from './subscriptions-setting';

export interface Declaration<Value = unknown> {
  readonly kind: SettingKind<Value>;
  readonly default: NoInfer<Value>;
  readonly unit?: 's' | 'min' | 'ms' | 'rows' | 'messages';
  readonly sentence: string;
  /** Never printed, neither in problems nor anywhere else. */
  readonly secret?: true;
}

const declare = <Value>(declaration: Declaration<Value>): Declaration<Value> => declaration;
const path = text('a path', /\S/);
const number = (min: number, max: number) => wholeNumber({ min, max });

/** Every setting, once. docs/SETTINGS.md is printed from here. */
export const DECLARATIONS = {
  'Environment:Name': declare({
    kind: choice('development', 'production'),
    default: 'development',
    sentence: 'Where this runs; production refuses settings that are meant for development.',
  }),
  'Log:Level': declare({
    kind: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal'),
    default: 'info',
    sentence: 'The least serious log line that is written.',
  }),
  'Data:Folder': declare({
    kind: path,
    default: '.datapump',
    sentence: 'Folder of the embedded stack: shard, event store and bus files.',
  }),
  'Shards:Names': declare({
    kind: listOf('shard names', /^[^\s:]{1,56}$/),
    default: [],
    sentence: 'Shards this installation works on; empty: every shard whose file lies in Data:Folder.',
  }),

  'Scanner:SleepSeconds': declare({
    kind: number(1, 3_600),
    default: 5,
    unit: 's',
    sentence: 'Wait of the scanner between two passes over all shards.',
  }),
  'Scanner:MaxChunkSize': declare({
    kind: number(1, ROWS_PER_CALL_MAX),
    default: 1_000,
    unit: 'rows',
    sentence: 'Most rows in one chunk, hence in one chunk message.',
  }),
  'Scanner:ClaimRowsMax': declare({
    kind: number(1, ROWS_PER_CALL_MAX),
    default: 5_000,
    unit: 'rows',
    sentence: 'Most rows claimed in one transaction of one shard.',
  }),
  'Scanner:ConcurrentShards': declare({
    kind: number(1, 64),
    default: 4,
    sentence: 'Shards scanned at the same time.',
  }),

  'Fetcher:MaxConcurrentBillers': declare({
    kind: number(1, 256),
    default: 12,
    sentence: 'Chunks, each of one biller, fetched at the same time by one process.',
  }),
  'Fetcher:BatchSize': declare({
    kind: number(1, MESSAGES_PER_CALL_MAX),
    default: 1_000,
    unit: 'rows',
    sentence: 'Rows read, judged and published in one step of a fetch.',
  }),
  'Fetcher:IdleWaitMaxSeconds': declare({
    kind: number(1, 300),
    default: 5,
    unit: 's',
    sentence: 'Longest wait of a fetcher that keeps finding nothing; the wait grows up to this.',
  }),

  'Consumer:ConcurrentMessages': declare({
    kind: number(1, 4_096),
    default: 256,
    unit: 'messages',
    sentence: 'Records one consumer process works on at the same time.',
  }),
  'Consumer:PermitWaitSeconds': declare({
    kind: number(0, 300),
    default: 5,
    unit: 's',
    sentence: "Longest wait for one of a biller's concurrency permits before the record is parked.",
  }),

  'Sweep:EverySeconds': declare({
    kind: number(1, 86_400),
    default: 60,
    unit: 's',
    sentence: 'Wait between two looks for rows that stopped moving.',
  }),
  'Sweep:AfterMinutes': declare({
    kind: number(1, 10_080),
    default: 15,
    unit: 'min',
    sentence: 'A claimed, unfinished row without progress for this long gets a new message.',
  }),
  'Sweep:RowsPerPassMax': declare({
    kind: number(1, ROWS_PER_CALL_MAX),
    default: 500,
    unit: 'rows',
    sentence: 'Most rows that one sweep gives a new message, so that a long outage does not end in a flood.',
  }),

  'ServiceBus:TopicName': declare({
    kind: text('a topic name', /^[A-Za-z0-9][A-Za-z0-9._/-]{0,259}$/),
    default: 'datapump-events',
    sentence: 'Topic of the record messages.',
  }),
  'ServiceBus:Subscriptions': declare({
    kind: subscriptionNames,
    default: DEFAULT_SUBSCRIPTIONS,
    sentence: 'Subscription that the consumer of each data type reads.',
  }),
  'Bus:LockSeconds': declare({
    kind: number(5, 300),
    default: 60,
    unit: 's',
    sentence:
      "How long a received message is locked; longer than every biller's timeout. Service Bus allows 300 at most.",
  }),
  'Bus:DeliveryCountMax': declare({
    kind: number(2, 2_000),
    default: 10,
    sentence: 'A message received this often without being settled goes to the dead letters.',
  }),
  'Bus:DuplicateDetectionMinutes': declare({
    kind: number(1, 10_080),
    default: 10,
    unit: 'min',
    sentence: 'Within this time a repeated message id is dropped.',
  }),

  'Auth:Authority': declare({
    kind: optional(url),
    default: '',
    sentence: 'Default token authority, used as <this>/oauth/token where a profile names no token URL.',
  }),
  'Billers:Folder': declare({
    kind: path,
    default: 'billers',
    sentence: 'Folder of the biller profiles, <id>.json each.',
  }),
  'Billers:AllowedHosts': declare({
    kind: listOf(
      'host names, each with a leading *. for all below it',
      /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/,
    ),
    default: [],
    sentence: 'Hosts that URLs in profiles may name; a profile with any other host is refused.',
  }),
  'Billers:AllowPlainLoopback': declare({
    kind: flag,
    default: false,
    sentence:
      'Lets profiles name http://127.0.0.1 and http://localhost, for the sandbox biller; refused in production.',
  }),
  'Billers:RefreshSeconds': declare({
    kind: number(1, 3_600),
    default: 30,
    unit: 's',
    sentence: 'Wait between two looks for changed profiles.',
  }),
  'Control:CacheSeconds': declare({
    kind: number(0, 60),
    default: 2,
    unit: 's',
    sentence: 'For how long a pause or rate of a biller may go unnoticed by a process.',
  }),

  'Secrets:File': declare({
    kind: optional(path),
    default: '',
    sentence: 'JSON file from secret name to secret, read beside the environment; empty: none.',
  }),
  'Clock:SampleSeconds': declare({
    kind: number(1, 3_600),
    default: 30,
    unit: 's',
    sentence: "Wait between two comparisons of this machine's clock with a shard's.",
  }),
  'Supervisor:RestartMax': declare({
    kind: number(0, 1_000),
    default: 10,
    sentence:
      'Restarts of one process within Supervisor:RestartWindowSeconds before the supervisor gives up and stops everything.',
  }),
  'Supervisor:RestartWindowSeconds': declare({
    kind: number(1, 86_400),
    default: 60,
    unit: 's',
    sentence: 'Time in which restarts are counted.',
  }),
  'Supervisor:StopSeconds': declare({
    kind: number(1, 600),
    default: 20,
    unit: 's',
    sentence: 'How long a process may take to stop after it was asked to, before it is killed.',
  }),
} as const satisfies Record<`${string}:${string}`, Declaration>;

export type SettingKey = keyof typeof DECLARATIONS;
export type Settings = {
  readonly [Key in SettingKey]: (typeof DECLARATIONS)[Key] extends Declaration<infer Value> ? Value : never;
};
