import { convertToCommandError, KurrentDBClient } from '@kurrent/kurrentdb-client';
import { type ClientCore, type VendorClient } from './vendor-client';

/** `@kurrent/kurrentdb-client` 1.3.1, the former's successor: brings a native part, and its internals are the same. */
export const kurrentDbClient: VendorClient = {
  scheme: 'kurrentdb',
  connect: (connectionString) => KurrentDBClient.connectionString(connectionString) as unknown as ClientCore,
  commandError: (error) => convertToCommandError(error),
};
