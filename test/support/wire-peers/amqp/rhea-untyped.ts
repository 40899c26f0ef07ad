import { type Delivery, message, type Sender } from 'rhea';

/** What rhea has and its typings leave out. */

interface Performative {
  described(): never;
}

const outcomes = message as unknown as {
  accepted(): Performative;
  rejected(fields: { error: { condition: string; description: string } }): Performative;
};

export const creditOf = (link: Sender): number => (link as unknown as { credit: number }).credit;

/** Whether the client asked for its credit back. */
export const isDraining = (link: Sender): boolean => (link as unknown as { _draining: boolean })._draining;

/** Answers a drain, also where messages have used up the credit: the SDK waits 200 ms for it, then drops the link. */
export function answerDrain(link: Sender): void {
  const inner = link as unknown as {
    credit: number;
    delivery_count: number;
    issue_flow: boolean;
    _get_drain?: () => boolean;
  };
  inner._get_drain = () => {
    delete inner._get_drain;
    inner.delivery_count += inner.credit;
    inner.credit = 0;
    return true;
  };
  inner.issue_flow = true;
  (link.connection as unknown as { _register(): void })._register();
}

/** Without it rhea waits for a settlement that never comes and stops dead after 2,048 deliveries. */
export const forget = (delivery: Delivery): void =>
  void Object.assign(delivery as object, { settled: true, remote_settled: true });

export function settle(delivery: Delivery, error?: { condition: string; description: string }): void {
  const outcome = error === undefined ? outcomes.accepted() : outcomes.rejected({ error });
  delivery.update(true, outcome.described());
  forget(delivery);
}
