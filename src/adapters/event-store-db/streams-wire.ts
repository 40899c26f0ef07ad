import { EventStoreDBClient } from '@eventstore/db-client';
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb';
import {
  type AppendReq,
  type AppendResp,
  type ReadReq,
  type ReadResp,
} from '@eventstore/db-client/generated/streams_pb';
import { type CallOptions, type Channel, type Metadata } from '@grpc/grpc-js';
import { CallTimedOut } from './event-store-failure';

/** What the client declares protected: its own commands are written with nothing else. */
interface ClientCore {
  execute<T>(client: typeof StreamsClient, name: string, action: (client: StreamsClient) => Promise<T>): Promise<T>;
  callArguments(options: { readonly requiresLeader: boolean; readonly deadline: number }): [Metadata, CallOptions];
  getChannel(): Promise<Channel>;
  handleError: (client: unknown, error: Error) => Promise<void>;
}

/**
 * The two calls of EventStoreDB's Streams protocol, over the client's own connection: discovery, credentials, following
 * the leader and reconnecting are the client's. The calls themselves are ours, because the client's commands
 * - read without any deadline, and cannot filter a read of $all;
 * - append through one shared BatchAppend stream where the server has it: when the connection breaks under load, that
 *   code rejects promises nobody holds, which ends a Node process; and a failed feature discovery is kept for ever.
 * Every call goes to the leader: a follower may lag behind what it has acknowledged.
 */
export class StreamsWire {
  private readonly client: EventStoreDBClient;
  private used = false;

  constructor(
    connectionString: string,
    private readonly deadlineMs: number,
  ) {
    this.client = EventStoreDBClient.connectionString(connectionString);
    const core = this.core();
    const handleError = core.handleError;
    // Called without anybody waiting for it; it rejects when a new discovery fails meanwhile.
    core.handleError = (...args) => handleError(...args).catch(() => undefined);
  }

  append(requests: readonly AppendReq[]): Promise<AppendResp> {
    return this.call(
      'append',
      (client, [metadata, options]) =>
        new Promise((resolve, reject) => {
          const call = client.append(metadata, options, (error, response) =>
            error ? reject(error) : resolve(response),
          );
          call.on('error', reject);
          for (const request of requests) call.write(request);
          call.end();
        }),
    );
  }

  read(request: ReadReq): Promise<readonly ReadResp[]> {
    return this.call(
      'read',
      (client, [metadata, options]) =>
        new Promise((resolve, reject) => {
          const responses: ReadResp[] = [];
          client
            .read(request, metadata, options)
            .on('data', (response: ReadResp) => responses.push(response))
            .on('error', reject)
            .on('end', () => resolve(responses));
        }),
    );
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    await this.client.dispose();
    // Asking for the channel would make one, and with discovery that means a search.
    if (this.used)
      await this.core()
        .getChannel()
        .then(
          (channel) => channel.close(),
          () => undefined,
        );
  }

  private core(): ClientCore {
    return this.client as unknown as ClientCore;
  }

  private async call<T>(
    name: string,
    action: (client: StreamsClient, args: [Metadata, CallOptions]) => Promise<T>,
  ): Promise<T> {
    this.used = true;
    const args = this.core().callArguments({ requiresLeader: true, deadline: this.deadlineMs });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      // gRPC's deadline starts to count with the connection; discovery before it has none.
      timer = setTimeout(
        () => reject(new CallTimedOut(`no answer to ${name} within ${this.deadlineMs} ms`)),
        this.deadlineMs + 100,
      );
    });
    try {
      return await Promise.race([this.core().execute(StreamsClient, name, (client) => action(client, args)), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
