import { setTimeout as delay } from 'node:timers/promises';
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb';
import {
  type AppendReq,
  type AppendResp,
  type ReadReq,
  type ReadResp,
} from '@eventstore/db-client/generated/streams_pb';
import { type CallOptions, type Metadata } from '@grpc/grpc-js';
import { CallTimedOut, isNotLeader, isSilence } from './event-store-failure';
import { type ClientCore, type VendorClient } from './vendor-client';

/** A change of leaders meets every call in flight; the client follows the new one within milliseconds. */
const NOT_LEADER_REPEATS_MAX = 5;
const NOT_LEADER_WAIT_FIRST_MS = 50;

/**
 * The two calls of EventStoreDB's Streams protocol, over the client's own connection: discovery, credentials, following
 * the leader and reconnecting are the client's. The calls themselves are ours, because the client's commands
 * - read without any deadline, and cannot filter a read of $all;
 * - append through one shared BatchAppend stream where the server has it: when the connection breaks under load, that
 *   code rejects promises nobody holds, which ends a Node process; and a failed feature discovery is kept for ever.
 * Every call goes to the leader: a follower may lag behind what it has acknowledged.
 *
 * connected → connected anew where a call reached its deadline and nothing at all was answered since it began: gRPC waits
 * for ever for a connection that was taken and never answered, and calls then never leave ("Waiting for LB pick").
 */
export class StreamsWire {
  private core: ClientCore;
  private used = false;
  private closed = false;
  /** Answers of any kind, refusals too. */
  private answers = 0;

  constructor(
    private readonly vendor: VendorClient,
    private readonly connectionString: string,
    private readonly deadlineMs: number,
  ) {
    this.core = this.connect();
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

  /** Once more on a new connection where the old one turned out to be dead: a read may always be repeated. */
  async read(request: ReadReq): Promise<readonly ReadResp[]> {
    const { core } = this;
    try {
      return await this.readOnce(request);
    } catch (error) {
      if (!isSilence(error) || this.core === core) throw error;
      return this.readOnce(request);
    }
  }

  private readOnce(request: ReadReq): Promise<readonly ReadResp[]> {
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
    this.closed = true;
    await this.closeCore(this.core);
  }

  private connect(): ClientCore {
    const core = this.vendor.connect(this.connectionString);
    const handleError = core.handleError;
    // Called without anybody waiting for it; it rejects when a new discovery fails meanwhile.
    core.handleError = (...args) => handleError(...args).catch(() => undefined);
    return core;
  }

  private async closeCore(core: ClientCore): Promise<void> {
    await core.dispose();
    // Asking for the channel would make one, and with discovery that means a search.
    if (this.used)
      await core.getChannel().then(
        (channel) => channel.close(),
        () => undefined,
      );
  }

  /** What is still under way on the old connection fails as unavailable, to be repeated. */
  private connectAnew(): void {
    if (this.closed) return;
    const old = this.core;
    this.core = this.connect();
    this.closeCore(old).catch(() => undefined);
  }

  private async call<T>(
    name: string,
    action: (client: StreamsClient, args: [Metadata, CallOptions]) => Promise<T>,
  ): Promise<T> {
    this.used = true;
    const over = new AbortController();
    // gRPC's deadline starts to count with the connection; discovery before it has none.
    const late = delay(this.deadlineMs + 100, undefined, { signal: over.signal }).then(() => {
      throw new CallTimedOut(`no answer to ${name} within ${this.deadlineMs} ms`);
    });
    late.catch(() => undefined);
    const { core, answers } = this;
    try {
      const result = await Promise.race([this.atLeader(name, action, over.signal), late]);
      this.answers++;
      return result;
    } catch (error) {
      if (!isSilence(error)) this.answers++;
      else if (this.core === core && this.answers === answers) this.connectAnew();
      throw error;
    } finally {
      over.abort();
    }
  }

  /** A server that does not lead has taken nothing: the same call, with its ids and its revision, goes to the one that does. */
  private async atLeader<T>(
    name: string,
    action: (client: StreamsClient, args: [Metadata, CallOptions]) => Promise<T>,
    over: AbortSignal,
  ): Promise<T> {
    const until = performance.now() + this.deadlineMs;
    for (let repeats = 0; ; repeats++) {
      const deadline = Math.max(1, until - performance.now());
      const args = this.core.callArguments({ requiresLeader: true, deadline });
      try {
        return await this.core.execute(StreamsClient, name, (client) => action(client, args));
      } catch (error) {
        const failure = this.commandError(error);
        if (!isNotLeader(failure) || repeats >= NOT_LEADER_REPEATS_MAX || over.aborted) throw failure;
        await delay(NOT_LEADER_WAIT_FIRST_MS * 2 ** repeats, undefined, { signal: over });
      }
    }
  }

  /** The client's conversion throws where the trailers lack what it expects. */
  private commandError(error: unknown): unknown {
    if (!(error instanceof Error)) return error;
    try {
      return this.vendor.commandError(error);
    } catch {
      return error;
    }
  }
}
