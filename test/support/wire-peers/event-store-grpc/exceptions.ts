import { Metadata, status, type ServiceError, type ServerErrorResponse } from '@grpc/grpc-js';

/** How EventStoreDB names its own errors: in trailers, which the client reads. */
export function exception(
  name: string,
  fact: string,
  value: string,
  code: status = status.INVALID_ARGUMENT,
): Partial<ServiceError> & ServerErrorResponse {
  const metadata = new Metadata();
  metadata.set('exception', name);
  metadata.set(fact, value);
  return Object.assign(new Error(name), { code, details: name, metadata });
}
