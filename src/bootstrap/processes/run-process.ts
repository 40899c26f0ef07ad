import { type Container } from 'inversify';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { TOKENS } from '../container/tokens';
import { checkStart } from './check-start';
import { runConsumer } from './run-consumer';
import { runFetcher } from './run-fetcher';
import { runScanner } from './run-scanner';

export type ProcessKind = { readonly process: 'scanner' } | { readonly process: 'fetcher' } | { readonly process: 'consumer'; readonly dataType: DataType };

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
