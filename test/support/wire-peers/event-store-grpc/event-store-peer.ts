import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb';
import {
  type AppendReq,
  type AppendResp,
  type ReadReq,
  type ReadResp,
} from '@eventstore/db-client/generated/streams_pb';
import {
  type Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerErrorResponse,
  type ServiceError,
  type ServerReadableStream,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { SqliteEventStore } from '../../../../src/adapters/sqlite/sqlite-event-store';
import { append } from './append-calls';
import { notLeader } from './exceptions';
import { read } from './read-calls';

export interface EventStorePeerOptions {
  /** The SQLite file of the embedded event store behind it; the same file again is the same server again. */
  readonly path: string;
  /** 0: any free one. */
  readonly port?: number;
  readonly tls?: { readonly certificate: Buffer; readonly key: Buffer };
  /** `user:password` that every call must carry; only with TLS, since the client sends none in clear. */
  readonly user?: string;
}

/**
 * Speaks the part of EventStoreDB's gRPC protocol that appends with an explicit revision and reads streams and $all,
 * over the embedded event store. It judges repeated appends by EventStoreDB's rules, not by our port's. ServerFeatures
 * is not served, as on old servers, so the vendor's client falls back to plain appends.
 */
export class EventStorePeer {
  private constructor(
    readonly port: number,
    private readonly server: Server,
    private readonly store: SqliteEventStore,
    private readonly faults: Faults,
  ) {}

  static async start(options: EventStorePeerOptions): Promise<EventStorePeer> {
    const store = new SqliteEventStore({ path: options.path });
    const faults: Faults = {
      silent: false,
      answersToLose: 0,
      user: options.user,
      refused: 0,
      planned: { append: [], read: [] },
      leader: undefined,
      notLeaderAnswers: 0,
    };
    const refusal = (): ReturnType<typeof notLeader> | undefined =>
      faults.leader && (faults.notLeaderAnswers++, notLeader(faults.leader));
    const server = new Server({ 'grpc.max_receive_message_length': 17 * 1024 * 1024 });
    const mayEnter = (metadata: Metadata): boolean =>
      faults.user === undefined ||
      metadata.get('authorization')[0] === `Basic ${Buffer.from(faults.user).toString('base64')}` ||
      (faults.refused++, false);
    server.addService(StreamsService, {
      append: (call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>) => {
        if (!mayEnter(call.metadata)) return answer({ code: status.UNAUTHENTICATED, details: 'who are you' });
        const refused = refusal();
        if (refused) return answer(refused);
        const planned = faults.planned.append.shift();
        if (planned?.when === 'before') return answer(planned.error);
        append(store, call, (error, response) => {
          if (faults.silent) return;
          if (planned) return answer(planned.error);
          if (faults.answersToLose > 0) {
            faults.answersToLose--;
            return answer({ code: status.UNAVAILABLE, details: 'the answer got lost' });
          }
          answer(error, response);
        });
      },
      read: (call: ServerWritableStream<ReadReq, ReadResp>) => {
        const planned = faults.planned.read.shift()?.error ?? refusal();
        if (!mayEnter(call.metadata)) call.emit('error', { code: status.UNAUTHENTICATED, details: 'who are you' });
        else if (planned) call.emit('error', planned);
        else if (!faults.silent) void read(store, call);
      },
    });
    const credentials = options.tls
      ? ServerCredentials.createSsl(null, [{ cert_chain: options.tls.certificate, private_key: options.tls.key }])
      : ServerCredentials.createInsecure();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return new EventStorePeer(port, server, store, faults);
  }

  get connectionString(): string {
    return `esdb://127.0.0.1:${this.port}?tls=false`;
  }

  /** `user:password` of every call from here on. */
  changeUser(user: string): void {
    this.faults.user = user;
  }

  get refused(): number {
    return this.faults.refused;
  }

  /** Takes calls and answers none: neither a refusal nor an end. */
  fallSilent(): void {
    this.faults.silent = true;
  }

  /** The next appends take effect, and their callers hear of a broken connection. */
  loseAnswers(count: number): void {
    this.faults.answersToLose = count;
  }

  /** The next calls of a kind fail so; an append `after` it has taken effect. */
  plan(call: 'append' | 'read', fault: PlannedFailure, count = 1): void {
    for (let times = 0; times < count; times++) this.faults.planned[call].push(fault);
  }

  /** From here on every call is refused, naming the one that leads; `undefined`: it leads itself. */
  follow(leader: LeaderEndpoint | undefined): void {
    this.faults.leader = leader;
  }

  /** Tells every connection to go away (HTTP/2 GOAWAY) as at a rolling restart, and breaks those that still work after `ms`. */
  goAway(ms: number): void {
    this.server.drain(`127.0.0.1:${this.port}`, ms);
  }

  get notLeaderAnswers(): number {
    return this.faults.notLeaderAnswers;
  }

  /** Breaks every connection at once, as a crash would; what was acknowledged is in the file. */
  async stop(): Promise<void> {
    this.server.forceShutdown();
    await this.store.close();
  }
}

export interface PlannedFailure {
  readonly when: 'before' | 'after';
  readonly error: Partial<ServiceError> & ServerErrorResponse;
}

export interface LeaderEndpoint {
  readonly host: string;
  readonly port: number;
}

interface Faults {
  readonly planned: Record<'append' | 'read', PlannedFailure[]>;
  leader: LeaderEndpoint | undefined;
  notLeaderAnswers: number;
  silent: boolean;
  answersToLose: number;
  user: string | undefined;
  refused: number;
}
