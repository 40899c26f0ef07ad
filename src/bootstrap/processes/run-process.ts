import { type Container } from 'inversify';
import { availableParallelism } from 'node:os';
import { type BusUser } from '../../application/messaging/bus-rights';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { UsageProblems } from '../command-line/problems';
import { TOKENS } from '../container/tokens';
import { checkStart } from './check-start';
import { runConsumer } from './run-consumer';
import { runFetcher } from './run-fetcher';
import { runScanner } from './run-scanner';
import { watchProcess } from './watch-process';
import { whileHistoryHolds } from './watch-history';
import { Watchdog } from './watchdog';

export type ProcessKind =
  | { readonly process: 'scanner' }
  | { readonly process: 'fetcher' }
  /** `number`: tells consumers of the same types apart on one machine, from 1. */
  | { readonly process: 'consumer'; readonly dataTypes: readonly DataType[]; readonly number?: number };

/** Where the setting names no number of consumers: one a core, since more only contend for the same files. */
const CONSUMERS_MAX = 4;

export function processName(kind: ProcessKind): string {
  if (kind.process !== 'consumer') return kind.process;
  if (kind.number !== undefined) return `consumer-${kind.number}`;
  return kind.dataTypes.length === DATA_TYPES.length
    ? 'consumer'
    : `consumer-${kind.dataTypes.map((dataType) => dataType.toLowerCase()).join('-')}`;
}

/**
 * Every process of an installation on one machine. Each consumer takes all types, a share of its places for each, so that
 * none starves another and no core is idle while another type has work; on a cluster each type scales by itself.
 * `consumers` 0: one a core.
 */
export function processesOfMachine(
  dataTypes: readonly DataType[],
  consumers: number,
  cores: number = availableParallelism(),
): readonly ProcessKind[] {
  const count = consumers > 0 ? consumers : Math.min(CONSUMERS_MAX, Math.max(1, cores));
  return [
    { process: 'scanner' },
    { process: 'fetcher' },
    ...Array.from({ length: count }, (_, index) => ({ process: 'consumer' as const, dataTypes, number: index + 1 })),
  ];
}

const busUserOf = (kind: ProcessKind): BusUser =>
  kind.process === 'consumer' ? { consumes: kind.dataTypes } : kind.process;

/** Checks what it depends on, then works until the signal aborts. */
export async function runProcess(container: Container, kind: ProcessKind, signal: AbortSignal): Promise<void> {
  await checkStart(container, { callsBillers: kind.process === 'consumer', user: busUserOf(kind), signal });
  if (signal.aborted) return;
  const telemetry = container.get(TOKENS.telemetry);
  await openHealth(container, signal);
  const name = processName(kind);
  const watchdog = new Watchdog({ name }, (error) => telemetry.error('the watchdog of the event loop failed', error));
  container.get(TOKENS.lifecycle).opened('watchdog', watchdog, (open) => open.close());
  await watchProcess(container, signal);
  telemetry.info('started', { process: processName(kind) });
  await whileHistoryHolds(container, signal, (working) => workAs(container, kind, working));
  telemetry.info('stopped', { process: processName(kind) });
}

function workAs(container: Container, kind: ProcessKind, signal: AbortSignal): Promise<void> {
  switch (kind.process) {
    case 'scanner':
      return runScanner(container, signal);
    case 'fetcher':
      return runFetcher(container, signal);
    case 'consumer':
      return runConsumer(container, kind.dataTypes, signal);
  }
}

/** The port is the last to open and the last to close: it tells of draining, too. */
async function openHealth(container: Container, signal: AbortSignal): Promise<void> {
  const settings = container.get(TOKENS.settings);
  const health = container.get(TOKENS.health);
  signal.addEventListener('abort', () => health.drain(), { once: true });
  const port = settings['Health:Port'];
  if (port === 0) return;
  const { metricsHandler } = container.get(TOKENS.watching);
  if (metricsHandler) health.serve('/metrics', metricsHandler);
  try {
    await health.listen(port, settings['Health:Host']);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new UsageProblems([
      `Health:Port: ${settings['Health:Host']}:${port} cannot be listened on (${why}); name a free one`,
    ]);
  }
  container.get(TOKENS.lifecycle).opened('health port', health, (open) => open.close());
}
