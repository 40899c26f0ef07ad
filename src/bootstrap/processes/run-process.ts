import { type Container } from 'inversify';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { UsageProblems } from '../command-line/problems';
import { TOKENS } from '../container/tokens';
import { checkStart } from './check-start';
import { runConsumer } from './run-consumer';
import { runFetcher } from './run-fetcher';
import { runScanner } from './run-scanner';

export type ProcessKind =
  | { readonly process: 'scanner' }
  | { readonly process: 'fetcher' }
  | { readonly process: 'consumer'; readonly dataType: DataType };

export const processName = (kind: ProcessKind): string =>
  kind.process === 'consumer' ? `consumer-${kind.dataType.toLowerCase()}` : kind.process;

/** Every process of one installation: a consumer for each data type, so that none starves another. */
export const ALL_PROCESSES: readonly ProcessKind[] = [
  { process: 'scanner' },
  { process: 'fetcher' },
  ...DATA_TYPES.map((dataType) => ({ process: 'consumer' as const, dataType })),
];

/** Checks what it depends on, then works until the signal aborts. */
export async function runProcess(container: Container, kind: ProcessKind, signal: AbortSignal): Promise<void> {
  await checkStart(container);
  const telemetry = container.get(TOKENS.telemetry);
  await openHealth(container, signal);
  telemetry.info('started', { process: processName(kind) });
  switch (kind.process) {
    case 'scanner':
      await runScanner(container, signal);
      break;
    case 'fetcher':
      await runFetcher(container, signal);
      break;
    case 'consumer':
      await runConsumer(container, kind.dataType, signal);
      break;
  }
  telemetry.info('stopped', { process: processName(kind) });
}

/** The port is the last to open and the last to close: it tells of draining, too. */
async function openHealth(container: Container, signal: AbortSignal): Promise<void> {
  const settings = container.get(TOKENS.settings);
  const health = container.get(TOKENS.health);
  signal.addEventListener('abort', () => health.drain(), { once: true });
  const port = settings['Health:Port'];
  if (port === 0) return;
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
