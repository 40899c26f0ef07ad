import { setTimeout as delay } from 'node:timers/promises';
import { type SilentProxy } from '../wire-peers/silent-proxy';
import { type PeerCommand } from './peer.main';
import { type PeerProcess } from './peer-process';

/** What a wire peer, or the network before it, can do to a demo at work. */
export const WIRE_FAULTS = ['half-open', 'lose-answers', 'force-close', 'detach', 'busy', 'leader-change'] as const;
export type WireFault = (typeof WIRE_FAULTS)[number];

export interface WirePlace {
  readonly bus: PeerProcess;
  /** Two nodes of one store; the first leads at first. */
  readonly eventStores: readonly PeerProcess[];
  readonly eventStorePorts: readonly number[];
  readonly proxies: readonly SilentProxy[];
  /** How long new connections are silent too, at the first time that connections are half open. */
  readonly silentMs: number;
  readonly say: (line: string) => void;
}

/** Of each fault: afterwards the demo is left to come to its end. */
const TIMES_MAX = 8;

/** One after the other while the demo works, so often at most; returns how often each was inflicted. */
export async function inflict(
  faults: readonly WireFault[],
  place: WirePlace,
  isAtWork: () => boolean,
  everyMs: number,
): Promise<ReadonlyMap<WireFault, number>> {
  const counts = new Map<WireFault, number>(faults.map((fault) => [fault, 0]));
  for (let round = 0; isAtWork() && round < TIMES_MAX * faults.length; round++) {
    const fault = faults[round % faults.length]!;
    const count = counts.get(fault)!;
    await inflictOne(fault, count, place);
    counts.set(fault, count + 1);
    await delay(everyMs);
  }
  return counts;
}

async function inflictOne(fault: WireFault, times: number, place: WirePlace): Promise<void> {
  const { bus, eventStores, eventStorePorts, proxies, silentMs, say } = place;
  const toAll = (command: PeerCommand): void => {
    for (const peer of [bus, ...eventStores]) peer.tell(command);
  };
  switch (fault) {
    case 'half-open': {
      const proxy = proxies[times % proxies.length]!;
      if (times >= proxies.length) return proxy.silenceOpenConnections();
      say(`every connection through port ${proxy.port} is silent for ${silentMs / 1_000} s`);
      proxy.fallSilent();
      await delay(silentMs);
      return proxy.speak();
    }
    case 'lose-answers':
      return toAll({ do: 'lose-answers' });
    case 'busy':
      return toAll({ do: 'be-busy' });
    case 'force-close':
    case 'detach':
      return bus.tell({ do: fault });
    case 'leader-change': {
      const [before, next] = times % 2 === 0 ? [0, 1] : [1, 0];
      eventStores[next]!.tell({ do: 'follow' });
      eventStores[before]!.tell({ do: 'follow', leader: { host: '127.0.0.1', port: eventStorePorts[next]! } });
    }
  }
}
