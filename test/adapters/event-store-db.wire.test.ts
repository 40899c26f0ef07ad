import { AppendReq, AppendResp, ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb';
import { Metadata, status } from '@grpc/grpc-js';
import { CallTimedOut } from '../../src/adapters/event-store-db/event-store-failure';
import { StreamsWire } from '../../src/adapters/event-store-db/streams-wire';
import { type ClientCore } from '../../src/adapters/event-store-db/vendor-client';
import { ENDED_WITHIN_MS, until } from '../support/until';

const DEADLINE_MS = 300;
/** Beyond the deadline, for gRPC to tell of it first. */
const LATE_AFTER_MS = 100;

const silence = (): Error => Object.assign(new Error('silence'), { code: status.DEADLINE_EXCEEDED });
const refusal = (): Error => Object.assign(new Error('refused'), { code: status.INTERNAL });
const notLeader = (): Error => Object.assign(new Error('not leader'), { type: 'not-leader' });

type Answer = 'answer' | 'silence' | 'refusal' | 'not leader' | 'never' | 'refusal when let go';

const ERRORS: Partial<Record<Answer, () => Error>> = {
  silence,
  refusal,
  'refusal when let go': refusal,
  'not leader': notLeader,
};

/** A vendor's client that says what it is scripted to say: each connection its own, and each call in turn. */
class ScriptedClient {
  readonly calls: { readonly connection: number; readonly name: string; readonly deadline: number }[] = [];
  readonly disposed: number[] = [];
  readonly channelsClosed: number[] = [];
  readonly channelsAsked: number[] = [];
  readonly waiting: (() => void)[] = [];
  connections = 0;
  handledErrors = 0;
  disposing: Promise<void> = Promise.resolve();
  commandError: (error: Error) => Error = (error) => error;
  lastCore: ClientCore | undefined;

  constructor(private readonly script: Answer[]) {}

  readonly scheme = 'esdb' as const;

  connect(): ClientCore {
    const connection = this.connections++;
    let deadline = 0;
    const core: ClientCore = {
      callArguments: (options) => {
        ({ deadline } = options);
        expect(options.requiresLeader).toBe(true);
        return [new Metadata(), {}];
      },
      execute: async (_client, name, action) => {
        this.calls.push({ connection, name, deadline });
        const answer = this.script.shift() ?? 'answer';
        if (answer === 'never') return new Promise(() => undefined);
        if (answer === 'refusal when let go') await new Promise<void>((resolve) => this.waiting.push(resolve));
        const error = ERRORS[answer]?.();
        return action(stub(error) as never);
      },
      getChannel: async () => {
        this.channelsAsked.push(connection);
        return { close: () => void this.channelsClosed.push(connection) } as never;
      },
      dispose: async () => {
        await this.disposing;
        this.disposed.push(connection);
      },
      handleError: async () => {
        this.handledErrors++;
        throw new Error('the discovery failed');
      },
    };
    this.lastCore = core;
    return core;
  }
}

/** The part of the generated client that is used: a stream that is read and one that is written. */
function stub(error: Error | undefined) {
  const soon = (work: () => void): void => void setImmediate(work);
  return {
    read: (_request: ReadReq) => {
      const listeners: Record<string, (value?: unknown) => void> = {};
      const stream = { on: (event: string, listener: () => void) => ((listeners[event] = listener), stream) };
      soon(() => {
        if (error) return listeners['error']!(error);
        listeners['data']!(new ReadResp());
        listeners['data']!(new ReadResp());
        listeners['end']!();
      });
      return stream;
    },
    append: (_metadata: Metadata, _options: object, done: (error: Error | null, response: AppendResp) => void) => {
      let written = 0;
      return {
        on: () => undefined,
        write: () => void written++,
        end: () =>
          soon(() => (written === 2 ? done(error ?? null, new AppendResp()) : done(refusal(), new AppendResp()))),
      };
    },
  };
}

function wireOf(script: readonly Answer[], deadlineMs = DEADLINE_MS) {
  const client = new ScriptedClient([...script]);
  return { client, wire: new StreamsWire(client, 'esdb://host', deadlineMs) };
}
const requests = (): AppendReq[] => [new AppendReq(), new AppendReq()];
const read = (wire: StreamsWire) => wire.read(new ReadReq());
const connectionsOf = (client: ScriptedClient) => client.calls.map(({ connection }) => connection);

describe('the calls to EventStoreDB over a client that fails as it is told (issue 9, no 16)', () => {
  it('a read that met silence alone goes once more, over a new connection, and the old one is closed', async () => {
    const { client, wire } = wireOf(['silence']);
    expect(await read(wire)).toHaveLength(2);
    expect(connectionsOf(client)).toEqual([0, 1]);
    await until('the old channel is closed', () => client.channelsClosed.length > 0);
    expect([client.disposed, client.channelsClosed]).toEqual([[0], [0]]);
  });

  it('a read goes no third time, and an append no second time: its silence may hide an effect', async () => {
    const twice = wireOf(['silence', 'silence']);
    await expect(read(twice.wire)).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(connectionsOf(twice.client)).toEqual([0, 1]);
    const { client, wire } = wireOf(['silence']);
    await expect(wire.append(requests())).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect([connectionsOf(client), client.connections]).toEqual([[0], 2]);
    expect(await wire.append(requests())).toBeInstanceOf(AppendResp);
    expect(connectionsOf(client)).toEqual([0, 1]);
  });

  it.each(['answer', 'refusal'] as const)(
    'silence is no sign of a dead connection where another call met an %s since it began',
    async (other) => {
      const { client, wire } = wireOf(['never', other]);
      const lost = read(wire).catch((error: unknown) => error);
      await wire.append(requests()).catch(() => undefined);
      // The first is given up at its deadline.
      expect(await lost).toBeInstanceOf(CallTimedOut);
      expect([client.connections, connectionsOf(client)]).toEqual([1, [0, 0]]);
    },
  );

  it('two calls that meet silence at once make one new connection', async () => {
    const { client, wire } = wireOf(['silence', 'silence']);
    await Promise.allSettled([wire.append(requests()), wire.append(requests())]);
    expect(client.connections).toBe(2);
  });

  it('what is refused is told as it is, not repeated, and costs no connection', async () => {
    const { client, wire } = wireOf(['refusal', 'refusal']);
    await expect(read(wire)).rejects.toThrow('refused');
    await expect(wire.append(requests())).rejects.toThrow('refused');
    expect([client.connections, connectionsOf(client)]).toEqual([1, [0, 0]]);
  });

  it('a refusal is told also where the connection was replaced meanwhile', async () => {
    const { client, wire } = wireOf(['refusal when let go', 'silence'], 60_000);
    const told = read(wire).catch((error: unknown) => error);
    await wire.append(requests()).catch(() => undefined);
    expect(client.connections).toBe(2);
    client.waiting[0]!();
    expect(await told).toMatchObject({ code: status.INTERNAL });
    expect(connectionsOf(client)).toEqual([0, 0]);
  });

  it('a call that never answers is given up a moment after its deadline, and leaves no timer', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
    const { wire } = wireOf(['never']);
    const began = performance.now();
    await expect(wire.append(requests())).rejects.toThrow(`no answer to append within ${DEADLINE_MS} ms`);
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(DEADLINE_MS + LATE_AFTER_MS - 5);
    // Without it the call never ends.
    expect(took).toBeLessThan(ENDED_WITHIN_MS);
    const before = timers();
    const long = wireOf([], 60_000);
    await long.wire.append(requests());
    await read(long.wire);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('asks another leader five times, waiting longer each time, within one deadline', async () => {
    const { client, wire } = wireOf(
      Array.from({ length: 10 }, () => 'not leader' as const),
      60_000,
    );
    const began = performance.now();
    await expect(wire.append(requests())).rejects.toMatchObject({ type: 'not-leader' });
    expect(client.calls).toHaveLength(6);
    // 50 + 100 + 200 + 400 + 800.
    expect(performance.now() - began).toBeGreaterThanOrEqual(1_540);
    const deadlines = client.calls.map(({ deadline }) => deadline);
    expect(deadlines[0]).toBeLessThanOrEqual(60_000);
    expect(deadlines[0]).toBeGreaterThan(40_000);
    expect(deadlines.at(-1)).toBeLessThanOrEqual(60_000 - 1_540);
    expect(client.connections).toBe(1);
  });

  it('asks no leader any more once its deadline is over, and never with none left', async () => {
    const { client, wire } = wireOf(Array.from({ length: 10 }, () => 'not leader' as const));
    await expect(wire.append(requests())).rejects.toThrow();
    const asked = client.calls.length;
    expect(asked).toBeLessThan(6);
    for (const { deadline } of client.calls) expect(deadline).toBeGreaterThanOrEqual(1);
    // Longer than the next wait would have been.
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect(client.calls).toHaveLength(asked);
  });

  it('closing waits for the client and closes its channel; one that was never used has none', async () => {
    const { client, wire } = wireOf([]);
    await read(wire);
    let letGo = (): void => undefined;
    client.disposing = new Promise((resolve) => (letGo = resolve));
    let closed = false;
    const closing = wire.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closed).toBe(false);
    letGo();
    await closing;
    expect([client.disposed, client.channelsClosed]).toEqual([[0], [0]]);
    const unused = wireOf([]);
    await unused.wire.close();
    expect([unused.client.disposed, unused.client.channelsAsked]).toEqual([[0], []]);
  });

  it('what meets silence after closing opens no connection again', async () => {
    const { client, wire } = wireOf(['never']);
    const lost = wire.append(requests()).catch((error: unknown) => error);
    await wire.close();
    expect(await lost).toBeInstanceOf(CallTimedOut);
    expect(client.connections).toBe(1);
  });

  it("the client's own handling of errors never rejects, nor does an error that its words cannot tell", async () => {
    const { client, wire } = wireOf(['refusal', 'refusal']);
    await expect(client.lastCore!.handleError(undefined, new Error('x'))).resolves.toBeUndefined();
    expect(client.handledErrors).toBe(1);
    client.commandError = () => {
      throw new TypeError('trailers lack what I expect');
    };
    await expect(wire.append(requests())).rejects.toThrow('refused');
    client.commandError = (error) => new Error(`in our words: ${error.message}`);
    await expect(wire.append(requests())).rejects.toThrow('in our words: refused');
  });
});
