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

/** As EventStoreDB's RpcExceptions.LeaderInfo: a node that does not lead names the one that does. */
export function notLeader({ host, port }: { readonly host: string; readonly port: number }) {
  const refused = exception('not-leader', 'leader-endpoint-host', host, status.NOT_FOUND);
  refused.metadata?.set('leader-endpoint-port', String(port));
  return refused;
}
