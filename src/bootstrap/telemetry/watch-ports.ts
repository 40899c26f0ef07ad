/* eslint-disable @typescript-eslint/no-require-imports --
   Loaded when asked for: the SDK costs a process a tenth of a second and its memory. */
import { type Container } from 'inversify';
import { type BunyanTelemetry } from '../../adapters/telemetry/bunyan-telemetry';
import { FailureLines } from '../../adapters/telemetry/failure-lines';
import { PlannedIds, RecordTraces } from '../../adapters/telemetry/record-traces';
import { SeenBefore } from '../../adapters/telemetry/seen-before';
import { Visits } from '../../adapters/telemetry/visits';
import { watchedBillerGateway } from '../../adapters/telemetry/watched-biller-gateway';
import { watchedEventStore } from '../../adapters/telemetry/watched-event-store';
import { watchedMessageBus } from '../../adapters/telemetry/watched-message-bus';
import { watchedShards } from '../../adapters/telemetry/watched-shards';
import { OUTBOX_TOPIC } from '../../application/messaging/topology';
import { version } from '../command-line/version';
import { type Settings } from '../configuration/declarations';
import { TOKENS } from '../container/tokens';
import type * as Sdk from './open-telemetry';
import { type Environment, telemetryWanted } from './otel-variables';
import { type Watching } from './watching';

const SYSTEM = {
  bus: { sqlite: 'datapump_sqlite', 'service-bus': 'servicebus' },
  eventStore: { sqlite: 'sqlite', 'event-store-db': 'eventstoredb', 'kurrent-db': 'kurrentdb' },
  shards: { sqlite: 'sqlite', 'sql-server': 'microsoft.sql_server' },
} as const;

/** The processes that open the health port; a command of an operator has none, whatever the settings say. */
const WORKERS = /^(scanner|fetcher|consumer)\b/;

/** Watches the ports of this container: nothing that uses them knows of it. */
export function watchPorts(
  container: Container,
  telemetry: BunyanTelemetry,
  settings: Settings,
  environment: Environment,
): Watching {
  const wanted = telemetryWanted(environment);
  const prometheus = settings['Health:Port'] !== 0 && WORKERS.test(container.get(TOKENS.processName));
  const isMeasured = prometheus || wanted.metrics !== undefined;
  const ids = new PlannedIds();
  const sdk =
    isMeasured || wanted.traces
      ? (require('./open-telemetry') as typeof Sdk).openTelemetry({
          wanted,
          prometheus,
          ids,
          resource: resourceOf(container, environment),
          onSpans: (fate, spans) => telemetry.count('traces.spans', spans, { fate }),
        })
      : undefined;
  if (sdk) {
    container.get(TOKENS.lifecycle).opened('telemetry', sdk, async (open) => {
      if (!(await open.close())) telemetry.warn('the collector does not answer, what was not told to it is dropped');
    });
    if (sdk.meter) telemetry.series.bind(sdk.meter);
  }
  const traces = sdk?.tracer && new RecordTraces({ tracer: sdk.tracer, ids, ...wanted.traces! });
  const visits = new Visits(traces);
  const lines = new FailureLines(telemetry, visits);
  const seen = new SeenBefore();
  const shared = { telemetry, visits, lines, seen };
  container.onActivation(TOKENS.bus, (_context, bus) =>
    watchedMessageBus(bus, {
      ...shared,
      system: SYSTEM.bus[settings['Stack:Bus']],
      topics: { chunks: OUTBOX_TOPIC, records: settings['ServiceBus:TopicName'] },
    }),
  );
  container.onActivation(TOKENS.eventStore, (_context, store) =>
    watchedEventStore(store, { ...shared, system: SYSTEM.eventStore[settings['Stack:EventStore']] }),
  );
  container.onActivation(TOKENS.shards, (_context, shards) =>
    watchedShards(shards, { ...shared, system: SYSTEM.shards[settings['Stack:Shards']] }),
  );
  container.onActivation(TOKENS.gateway, (_context, gateway) => watchedBillerGateway(gateway, shared));
  return { isMeasured, metricsHandler: sdk?.metricsHandler };
}

function resourceOf(container: Container, environment: Environment): Readonly<Record<string, string>> {
  const instance = container.get(TOKENS.processName);
  return {
    'service.name': environment['OTEL_SERVICE_NAME']?.trim() || 'datapump',
    'service.version': version(),
    'service.instance.id': instance,
    'datapump.process': instance.slice(0, instance.indexOf('@')),
  };
}
