import { ROWS_PER_CALL_MAX } from '../../application/ports/shard';
import { MESSAGES_PER_CALL_MAX } from '../../application/ports/message-bus';
import { hostPatterns } from './allowed-hosts-setting';
import { choice, flag, listOf, optional, type SettingKind, text, url, wholeNumber } from './setting-kinds';
import { shardAddresses } from './shard-registry-setting';
import { DEFAULT_SUBSCRIPTIONS, subscriptionNames } from './subscriptions-setting';
import { path, shardNames } from './visible-kinds';

export interface Declaration<Value = unknown> {
  readonly kind: SettingKind<Value>;
  readonly default: NoInfer<Value>;
  readonly unit?: 's' | 'min' | 'ms' | 'rows' | 'messages';
  readonly sentence: string;
  /** Never printed, neither in problems nor anywhere else. */
  readonly secret?: true;
}

const declare = <Value>(declaration: Declaration<Value>): Declaration<Value> => declaration;
const secretName = text('the name of a secret', /^[0-9A-Za-z._-]{1,127}$/);
const number = (min: number, max: number) => wholeNumber({ min, max });

/** Every setting, once. docs/SETTINGS.md is printed from here. */
export const DECLARATIONS = {
  'Environment:Name': declare({
    kind: choice('development', 'production'),
    default: 'development',
    sentence: 'Where this runs; production refuses settings that are meant for development.',
  }),
  'Stack:Shards': declare({
    kind: choice('sqlite', 'sql-server'),
    default: 'sqlite',
    sentence: 'Where the DP tables and the outbox are: files below Data:Folder, or the databases of Shards:Registry.',
  }),
  'Stack:EventStore': declare({
    kind: choice('sqlite', 'event-store-db', 'kurrent-db'),
    default: 'sqlite',
    sentence:
      "Where the histories are; kurrent-db is the same server through the newer client of KurrentDB's vendor, which brings a native part.",
  }),
  'Stack:Bus': declare({
    kind: choice('sqlite', 'service-bus'),
    default: 'sqlite',
    sentence: 'What carries the messages.',
  }),
  'Stack:Tokens': declare({
    kind: choice('in-process', 'redis'),
    default: 'in-process',
    sentence: "Where billers' access tokens are kept: each process for itself, or Redis for all.",
  }),
  'Stack:Allowance': declare({
    kind: choice('sqlite', 'redis'),
    default: 'sqlite',
    sentence:
      "Where a biller's rate is counted: a file of this machine, or Redis for all machines. Needed where processes run on more than one.",
  }),
  'Stack:Secrets': declare({
    kind: choice('environment', 'key-vault'),
    default: 'environment',
    sentence: 'Where secrets are read by their names: environment and Secrets:File, or Azure Key Vault.',
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
  'History:WitnessFile': declare({
    kind: optional(path),
    default: '',
    sentence:
      'File that remembers how far the event store had come, outside of every backup; best on another disk. Empty: history/witness.sqlite in Data:Folder.',
  }),
  'Shards:Names': declare({
    kind: shardNames,
    default: [],
    sentence: 'Shards this installation works on; empty: every shard whose file lies in Data:Folder.',
  }),
  'Shards:Registry': declare({
    kind: shardAddresses,
    default: {},
    sentence: 'For Stack:Shards sql-server: which database each shard is, and the name of the secret that opens it.',
  }),
  'SqlServer:ConnectionsMax': declare({
    kind: number(1, 500),
    default: 10,
    sentence: 'Connections that one process opens to one shard at most.',
  }),
  'SqlServer:ConnectSeconds': declare({
    kind: number(1, 120),
    default: 15,
    unit: 's',
    sentence: 'Time in which a connection to a shard is there or has failed.',
  }),
  'SqlServer:RequestSeconds': declare({
    kind: number(1, 600),
    default: 30,
    unit: 's',
    sentence: 'Time in which a statement is done or has failed.',
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
    sentence: 'Records one consumer process works on at the same time; each of its data types has an equal share.',
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

  'Seal:EverySeconds': declare({
    kind: number(0, 86_400),
    default: 60,
    unit: 's',
    sentence: 'Wait of the scanner between two sealings of what is new in the event store; 0: it does not seal.',
  }),
  'Seal:Folder': declare({
    kind: optional(path),
    default: '',
    sentence:
      'Folder of the copies of the seals outside the event store; empty: seals below Data:Folder where the histories are a file, none elsewhere.',
  }),
  'Seal:SigningKeySecret': declare({
    kind: optional(secretName),
    default: '',
    sentence:
      'Name of the secret that holds the private key (Ed25519, PEM) which signs the seals; empty: they are not signed.',
  }),
  'Seal:PublicKeyFile': declare({
    kind: optional(path),
    default: '',
    sentence:
      'PEM file with the public keys that `datapump history verify` checks signatures with; empty: by the signing key where there is one.',
  }),

  'ServiceBus:TopicName': declare({
    kind: text('a topic name', /^[A-Za-z0-9][A-Za-z0-9._/-]{0,259}$/),
    default: 'datapump-events',
    sentence: 'Topic of the record messages.',
  }),
  'ServiceBus:Subscriptions': declare({
    kind: subscriptionNames,
    default: DEFAULT_SUBSCRIPTIONS,
    sentence:
      'Subscription that the consumer of each data type reads. Rows of a type that a list leaves out are not claimed here and wait as New.',
  }),
  'ServiceBus:Namespace': declare({
    kind: optional(text('a host name such as name.servicebus.windows.net', /^[A-Za-z0-9][A-Za-z0-9.-]{2,252}$/)),
    default: '',
    sentence: 'Namespace that the Managed Identity of the process opens; instead of a connection string.',
  }),
  'ServiceBus:ConnectionString': declare({
    kind: optional(text('a connection string of the form Endpoint=sb://…', /^Endpoint=sb:\/\/[^;\s]+;/i)),
    default: '',
    sentence: 'Connection string of the namespace, with the rights to send and listen alone.',
    secret: true,
  }),
  'ServiceBus:ConnectionStringSecret': declare({
    kind: optional(secretName),
    default: '',
    sentence: 'Name of the secret that holds the connection string of the namespace.',
  }),
  'ServiceBus:AdministrationUrl': declare({
    kind: optional(url),
    default: '',
    sentence: "Where `datapump topology` finds the emulator's administration, such as http://localhost:5300.",
  }),
  'ServiceBus:Partitioned': declare({
    kind: flag,
    default: false,
    sentence:
      'Whether the topics are partitioned: `datapump topology` makes them so, and each message is sent alone, since Service Bus refuses batches to partitioned topics that detect duplicates. Slower; Premium namespaces and the emulator have none.',
  }),
  'EventStore:ConnectionString': declare({
    kind: optional(
      text(
        'a connection string of the form esdb://… or kurrentdb://…',
        /^(esdb|kurrentdb|kurrent|kdb)(\+discover)?:\/\/\S+$/,
      ),
    ),
    default: '',
    sentence: 'Connection string of EventStoreDB or KurrentDB; TLS unless it says otherwise.',
    secret: true,
  }),
  'EventStore:ConnectionStringSecret': declare({
    kind: optional(secretName),
    default: '',
    sentence: 'Name of the secret that holds the connection string of EventStoreDB.',
  }),
  'Redis:Url': declare({
    kind: optional(text('a URL of the form rediss://user:password@host:6380', /^rediss?:\/\/\S+$/)),
    default: '',
    sentence: 'Redis for the tokens and allowances of all processes; may hold a password.',
    secret: true,
  }),
  'Redis:UrlSecret': declare({
    kind: optional(secretName),
    default: '',
    sentence: 'Name of the secret that holds the URL of Redis.',
  }),
  'KeyVault:Url': declare({
    kind: optional(
      text('an https URL such as https://name.vault.azure.net', /^https:\/\/[A-Za-z0-9.-]+(:\d{1,5})?\/?$/),
    ),
    default: '',
    sentence: 'Vault that holds the secrets, opened by the Managed Identity of the process.',
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
    kind: hostPatterns,
    default: [],
    sentence: 'Hosts, and their ports, that URLs in profiles may name; a profile with any other host is refused.',
  }),
  'Billers:PrivateHosts': declare({
    kind: listOf(
      'host names, each with a leading *. for all below it',
      /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/,
    ),
    default: [],
    sentence:
      'Of the allowed hosts those in a private network. Every other is connected to at public addresses alone, whatever its name resolves to.',
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
  'Answers:KeepDays': declare({
    kind: number(0, 365),
    default: 30,
    sentence:
      'Days for which a masked piece of an answer that settled nothing is kept for record explain, in a file of this machine; 0: none is kept.',
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
  'Health:Port': declare({
    kind: number(0, 65_535),
    default: 0,
    sentence: 'Port of /health and /metrics; with run all of the scanner, the other processes take the next; 0: none.',
  }),
  'Health:Host': declare({
    kind: text('an address', /^[0-9A-Za-z.:]{1,64}$/),
    default: '127.0.0.1',
    sentence: 'Address that the health port listens on; 0.0.0.0 in a container.',
  }),
  'Clock:SampleSeconds': declare({
    kind: number(1, 3_600),
    default: 30,
    unit: 's',
    sentence: "Wait between two comparisons of this machine's clock with a shard's.",
  }),
  'Supervisor:Consumers': declare({
    kind: number(0, 64),
    default: 0,
    sentence: 'Consumer processes of run all, each for all data types; 0: one for each core, at most 4.',
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
  'Start:WaitSeconds': declare({
    kind: number(0, 3_600),
    default: 60,
    unit: 's',
    sentence:
      'How long a process waits at its start for a server that is out of reach, before it ends with exit code 1.',
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
