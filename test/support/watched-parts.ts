import { AlwaysOnSampler, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { createLogger } from 'bunyan';
import { BunyanTelemetry } from '../../src/adapters/telemetry/bunyan-telemetry';
import { FailureLines } from '../../src/adapters/telemetry/failure-lines';
import { PlannedIds, RecordTraces } from '../../src/adapters/telemetry/record-traces';
import { SeenBefore } from '../../src/adapters/telemetry/seen-before';
import { Visits } from '../../src/adapters/telemetry/visits';

/** What watched ports are made with, every trace kept; nobody reads what they tell. */
export function watchedParts() {
  const stream = { write: () => true } as unknown as NodeJS.WritableStream;
  const telemetry = new BunyanTelemetry(createLogger({ name: 'test', stream }));
  const ids = new PlannedIds();
  const tracer = new NodeTracerProvider({ sampler: new AlwaysOnSampler(), idGenerator: ids }).getTracer('test');
  const visits = new Visits(new RecordTraces({ tracer, ids, share: 1, keepFailures: true }));
  return { telemetry, visits, lines: new FailureLines(telemetry, visits), seen: new SeenBefore(), system: 'sqlite' };
}
