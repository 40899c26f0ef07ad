/** A port whose answers may come at once: an in-memory adapter needs no promise, a real one keeps its own. */
export type AtOnce<Port> = {
  [Name in keyof Port]: Port[Name] extends (...parameters: infer Parameters) => Promise<infer Answer>
    ? (...parameters: Parameters) => Answer | Promise<Answer>
    : Port[Name];
};

/** Goes on with an answer: at once where it is there, so that nobody has to wait for a promise that hides nothing. */
export const thenAtOnce = <Answer, Next>(
  answer: Answer | Promise<Answer>,
  next: (answer: Answer) => Next,
): Next | Promise<Awaited<Next>> =>
  answer instanceof Promise ? (answer.then(next) as Promise<Awaited<Next>>) : next(answer);

/** The port as its users know it: the same methods, answering by promise. */
export function byPromise<Port extends object>(adapter: AtOnce<Port>): Port {
  return new Proxy(adapter, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return async (...parameters: unknown[]): Promise<unknown> =>
        (member as (...all: unknown[]) => unknown).apply(target, parameters);
    },
  }) as Port;
}
