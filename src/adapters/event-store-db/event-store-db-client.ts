import { convertToCommandError, EventStoreDBClient } from '@eventstore/db-client';
import { type ClientCore, type VendorClient } from './vendor-client';

/** `@eventstore/db-client` 6.2.1, the default: pure JavaScript. */
export const eventStoreDbClient: VendorClient = {
  scheme: 'esdb',
  connect: (connectionString) => EventStoreDBClient.connectionString(connectionString) as unknown as ClientCore,
  commandError: (error) => convertToCommandError(error),
};
