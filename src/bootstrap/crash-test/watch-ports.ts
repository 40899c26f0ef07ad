import { type Container } from 'inversify';
import { type PreparedCall, type PrepareRequest } from '../../application/ports/biller-gateway';
import { type MessageReceiver } from '../../application/ports/message-bus';
import { type Shard } from '../../application/ports/shard';
import { TOKENS } from '../container/tokens';
import { crashPoint } from '../processes/crash-points';
import { CRASH_PLACES, Memory, type PortPoint, type Role, type SeenCall } from './crash-places';

const ROLES: readonly Role[] = ['scanner', 'fetcher', 'consumer', 'operator'];
const POINTS = Object.keys(CRASH_PLACES) as PortPoint[];

/** Puts itself before every port of an armed process: which point a call passes, the call itself and its answer say. */
export function watchPorts(container: Container, processName: string): void {
  const role = ROLES.find((each) => processName.startsWith(each));
  if (!role) return;
  const memory = new Memory();
  const places = POINTS.map((point) => ({ point, ...CRASH_PLACES[point] })).filter(({ roles }) => roles.includes(role));
  const pass = (when: 'before' | 'after', call: SeenCall): void => {
    if (when === 'after' && call.name === 'events.append') memory.appended(call);
    for (const { point, is, ...place } of places)
      if (place.when === when && place.call === call.name && (!is || is(call, memory))) crashPoint(point);
  };
  const watched = <Port extends object>(name: string, port: Port, more: Watch = {}): Port =>
    new Proxy(port, {
      get: (target, property) => {
        const method: unknown = Reflect.get(target, property, target);
        if (typeof method !== 'function') return method;
        return (...args: unknown[]): unknown => {
          const call = { name: `${name}.${String(property)}`, args, ...(more.record && { record: more.record }) };
          pass('before', call);
          const answer: unknown = method.apply(target, args);
          const changed = (value: unknown): unknown => more.answers?.(String(property), value, args) ?? value;
          if (!(answer instanceof Promise)) return changed(answer);
          return answer.then((value: unknown) => {
            pass('after', { ...call, answer: value });
            return changed(value);
          });
        };
      },
    });

  const known = new WeakMap<Shard, Shard>();
  const shard = (one: Shard): Shard => {
    const seen = known.get(one) ?? watched('shard', one);
    known.set(one, seen);
    return seen;
  };
  const shards: Watch['answers'] = (method, answer) =>
    method === 'all' ? (answer as readonly Shard[]).map(shard) : answer ? shard(answer as Shard) : answer;
  const receivers: Watch['answers'] = (method, answer) =>
    method === 'receiver' ? watched('receiver', answer as MessageReceiver) : answer;
  const calls: Watch['answers'] = (method, answer, args) => {
    if (method !== 'prepare') return answer;
    const { billerId, dpId } = (args[0] as PrepareRequest).row;
    return watched('call', answer as PreparedCall, { record: `${billerId}:${dpId}` });
  };

  container.onActivation(TOKENS.eventStore, (_, store) => watched('events', store));
  container.onActivation(TOKENS.shards, (_, all) => watched('shards', all, { answers: shards }));
  container.onActivation(TOKENS.bus, (_, bus) => watched('bus', bus, { answers: receivers }));
  container.onActivation(TOKENS.gateway, (_, gateway) => watched('gateway', gateway, { answers: calls }));
}

interface Watch {
  /** Whose call it is, where the call does not say. */
  readonly record?: string;
  /** What is handed on instead of an answer: ports that a port gives out are watched too. */
  readonly answers?: (method: string, answer: unknown, args: readonly unknown[]) => unknown;
}
