import { type StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb';
import { type CallOptions, type Channel, type Metadata } from '@grpc/grpc-js';

/** What a vendor's client declares protected: its own commands are written with nothing else. */
export interface ClientCore {
  execute<T>(client: typeof StreamsClient, name: string, action: (client: StreamsClient) => Promise<T>): Promise<T>;
  callArguments(options: { readonly requiresLeader: boolean; readonly deadline: number }): [Metadata, CallOptions];
  getChannel(): Promise<Channel>;
  dispose(): Promise<void>;
  handleError: (client: unknown, error: Error) => Promise<void>;
}

/**
 * All that differs between the clients of EventStoreDB and KurrentDB: discovery, credentials, following the leader and
 * reconnecting are theirs, and alike; the messages on the wire are the same.
 */
export interface VendorClient {
  readonly scheme: 'esdb' | 'kurrentdb';
  connect(connectionString: string): ClientCore;
  /** The client's name (`type`) for what the trailers of an error say. */
  commandError(error: Error): Error;
}
