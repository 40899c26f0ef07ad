import {
  type MessageBus,
  type MessageReceiver,
  type MessageSource,
  type OutgoingMessage,
  type ReceivedMessage,
} from '../../../src/application/ports/message-bus';
import { type Instant, plusMs } from '../../../src/domain/instant';
import { thenAtOnce } from './at-once';
import { type CallFault } from './faults';
import { mixed } from './dice';
import { type SimulatedProcess } from './simulated-process';
import { type World } from './world';

interface Waiter {
  readonly process: SimulatedProcess;
  readonly epoch: number;
  readonly tryAgain: () => void;
}

/** Who waits for messages, per source, and when the next look is due. */
export class WaitingRoom {
  private readonly waiters = new Map<string, Set<Waiter>>();
  private readonly lookAt = new Map<string, number>();

  constructor(private readonly world: World) {}

  wait(source: MessageSource, waiter: Waiter): void {
    const name = nameOf(source);
    const waiting = this.waiters.get(name) ?? new Set();
    this.waiters.set(name, waiting.add(waiter));
    this.lookAgain(source);
  }

  leave(source: MessageSource, waiter: Waiter): void {
    this.waiters.get(nameOf(source))?.delete(waiter);
  }

  /** Something changed: whoever waits looks when there is something to take. */
  lookAgain(source: MessageSource): void {
    const name = nameOf(source);
    const waiting = this.waiters.get(name);
    if (!waiting || waiting.size === 0) return;
    const due = this.world.broker.nextDue(source);
    if (due === undefined) return;
    const { timeline } = this.world;
    const at = Math.max(timeline.now + 1, due - this.world.brokerBeginsMs);
    if ((this.lookAt.get(name) ?? Infinity) <= at && (this.lookAt.get(name) ?? 0) > timeline.now) return;
    this.lookAt.set(name, at);
    timeline.at(at, () => {
      if (this.lookAt.get(name) !== at) return;
      this.lookAt.delete(name);
      for (const waiter of [...waiting]) {
        waiting.delete(waiter);
        if (waiter.process.epoch === waiter.epoch) waiter.tryAgain();
      }
    });
  }
}

const nameOf = ({ topic, subscription, deadLetters }: MessageSource): string =>
  `${topic}/${subscription}${deadLetters ? '/dead' : ''}`;

/** The bus as one life of a process sees it: each call over the wire, waiting in virtual time. */
export class SimulatedBus implements MessageBus {
  constructor(
    private readonly world: World,
    private readonly process: SimulatedProcess,
    private readonly epoch: number,
  ) {}

  send(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    const { world } = this;
    return world.wire.call(this.process, this.epoch, {
      site: 'bus-send',
      name: `bus.send(${messages[0]?.messageId ?? ''})`,
      effect: (fault, question) => {
        world.watch.sent(topic, messages);
        const now = world.brokerNow();
        const late =
          fault === 'bus-late' ? plusMs(now, world.dice.between(1_000, 120_000, mixed(question, 7))) : undefined;
        const taken = world.broker.send(
          topic,
          late
            ? messages.map((message) => ({
                ...message,
                scheduledFor: message.scheduledFor && message.scheduledFor > late ? message.scheduledFor : late,
              }))
            : messages,
        );
        const twice = thenAtOnce(taken, () =>
          fault === 'bus-duplicate' ? this.duplicate(topic, messages) : undefined,
        );
        return thenAtOnce(twice, () => world.busChanged(topic));
      },
    });
  }

  receiver(source: MessageSource): MessageReceiver {
    const { world } = this;
    const settle = <Answer>(
      kind: string,
      message: ReceivedMessage,
      effect: () => Answer | Promise<Answer>,
    ): Promise<Answer> => {
      if (kind !== 'renewLock') world.watch.settling(`${this.process.name}#${this.epoch}`, message);
      return world.wire.call(this.process, this.epoch, {
        site: kind === 'renewLock' ? 'bus-renew' : 'bus-settle',
        name: `bus.${kind}(${message.messageId})`,
        effect: () =>
          thenAtOnce(effect(), (answer) => {
            world.waiting.lookAgain(source);
            return answer;
          }),
      });
    };
    return {
      receive: ({ max, waitMs, signal }) => this.receive(source, max, waitMs, signal),
      complete: (message) => {
        if (this.process.epoch === this.epoch) world.watch.completing(source, message);
        return settle('complete', message, () => world.broker.complete(source, message));
      },
      abandon: (message) => settle('abandon', message, () => world.broker.abandon(source, message)),
      deadLetter: (message, why) => settle('deadLetter', message, () => world.broker.deadLetter(source, message, why)),
      renewLock: (message) => settle<Instant>('renewLock', message, () => world.broker.renew(source, message)),
      close: async () => undefined,
    };
  }

  peek(source: MessageSource, options: { readonly after?: string; readonly max: number }) {
    return this.look(`bus.peek(${nameOf(source)})`, () => this.world.broker.peek(source, options));
  }

  depth(source: { readonly topic: string; readonly subscription: string }) {
    return this.look(`bus.depth(${nameOf(source)})`, () => this.world.broker.depth(source));
  }

  private async duplicate(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    for (const message of messages) await this.world.broker.duplicate(topic, message);
  }

  private look<Answer>(name: string, effect: () => Answer | Promise<Answer>): Promise<Answer> {
    return this.world.wire.call(this.process, this.epoch, { site: 'bus-look', name, effect });
  }

  /** One look at once; then, where nothing was there, whenever something comes due, until the wait is over. */
  private async receive(
    source: MessageSource,
    max: number,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly ReceivedMessage[]> {
    const { world, process, epoch } = this;
    const endsAt = world.timeline.now + waitMs;
    for (;;) {
      if ((world.broker.nextDue(source) ?? Infinity) - world.brokerBeginsMs <= world.timeline.now) {
        const taken = await this.take(source, max);
        if (taken.length > 0) {
          world.watch.received(`${process.name}#${epoch}`, taken);
          return taken;
        }
      }
      if (world.timeline.now >= endsAt || signal?.aborted) return [];
      await new Promise<void>((resolve) => {
        let over = false;
        const wake = (): boolean => {
          if (over || process.epoch !== epoch) return false;
          over = true;
          signal?.removeEventListener('abort', wake);
          world.waiting.leave(source, waiter);
          resolve();
          return true;
        };
        const waiter: Waiter = { process, epoch, tryAgain: () => world.wire.answer(process, epoch, 1, wake) };
        world.waiting.wait(source, waiter);
        signal?.addEventListener('abort', wake, { once: true });
        world.wire.answer(process, epoch, endsAt - world.timeline.now, wake);
      });
    }
  }

  private take(source: MessageSource, max: number): Promise<readonly ReceivedMessage[]> {
    const { world } = this;
    return world.wire.call(this.process, this.epoch, {
      site: 'bus-receive',
      name: `bus.receive(${nameOf(source)})`,
      latencyMaxMs: 4,
      effect: (fault: CallFault | undefined, question) =>
        thenAtOnce(world.broker.take(source, max, fault === 'bus-out-of-order' ? 1 + (question % 3) : 0), (taken) => {
          if (fault === 'bus-lock-expiry') {
            for (const { lockToken } of taken) {
              world.timeline.after(world.dice.between(1, 3_000, mixed(question, 8)), () => {
                world.broker.expireLock(source, lockToken);
                world.waiting.lookAgain(source);
              });
            }
          }
          world.watch.taken(source, taken);
          return taken;
        }),
    });
  }
}
