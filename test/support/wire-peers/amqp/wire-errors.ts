import { PortFailure, type PortFailureCode } from '../../../../src/application/ports/failures';
import { type ServiceError } from './planned-faults';

export type WireError = ServiceError;

const KNOWN: Partial<Record<PortFailureCode, { readonly condition: string; readonly status: number }>> = {
  'lock-lost': { condition: 'com.microsoft:message-lock-lost', status: 410 },
  'not-found': { condition: 'amqp:not-found', status: 404 },
  'message-too-large': { condition: 'amqp:link:message-size-exceeded', status: 413 },
  'storage-full': { condition: 'amqp:resource-limit-exceeded', status: 403 },
  'storage-busy': { condition: 'com.microsoft:server-busy', status: 503 },
};

/** How Service Bus would put a failure of the embedded bus. */
export function wireError(failure: unknown): WireError {
  const known = failure instanceof PortFailure ? KNOWN[failure.code] : undefined;
  const description = failure instanceof Error ? failure.message : String(failure);
  return { ...(known ?? { condition: 'amqp:internal-error', status: 500 }), description };
}

export const notSupported = (what: string): WireError => ({
  condition: 'amqp:not-implemented',
  description: `this peer does not speak ${what}`,
  status: 501,
});
