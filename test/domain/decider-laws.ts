import fc from 'fast-check';
import { type Decider, fold } from '../../src/domain/decider';

interface Laws<Command extends { type: string }, Event extends { type: string }> {
  readonly command: fc.Arbitrary<Command>;
  /** Commands that take ownership: the second time they are refused, since the first claimant owns it. */
  readonly exclusive?: readonly Command['type'][];
  /** What may still be appended to a terminal state. */
  readonly afterTheEnd: readonly Event['type'][];
  readonly runs?: number;
}

/** The laws of every decider, over generated histories. Throws (by fast-check) with a shortest failing history. */
export function checkDeciderLaws<State, Command extends { type: string }, Event extends { type: string }, No>(
  decider: Decider<State, Command, Event, No>,
  laws: Laws<Command, Event>,
): void {
  const { command, exclusive = [], afterTheEnd, runs = 400 } = laws;
  const commands = fc.array(command, { maxLength: 14 });
  fc.assert(
    fc.property(commands, commands, fc.nat(30), (history, others, cut) => {
      const events: Event[] = [];
      let state = decider.initialState;
      for (const each of history) {
        const before = JSON.stringify(state);
        const decision = decider.decide(each, state);
        if (JSON.stringify(state) !== before) throw new Error(`deciding ${each.type} changed the state it was given`);
        const fresh = decision.outcome === 'accepted' ? decision.events : [];
        if (decider.isTerminal(state)) {
          const wrong = fresh.find(({ type }) => !afterTheEnd.includes(type));
          if (wrong) throw new Error(`terminal is not terminal: ${wrong.type} after the end`);
        }
        const ended = decider.isTerminal(state);
        state = fresh.reduce(decider.evolve, state);
        if (ended && !decider.isTerminal(state)) throw new Error(`${each.type} left a terminal state`);
        const second = decider.decide(each, state);
        if (second.outcome === 'accepted' && second.events.length > 0)
          throw new Error(`${each.type} is not idempotent`);
        const owns = exclusive.includes(each.type) && fresh.length > 0;
        if (second.outcome === 'refused' && decision.outcome === 'accepted' && !owns)
          throw new Error(`${each.type} is refused when repeated`);
        if (decision.outcome === 'refused' && JSON.stringify(second) !== JSON.stringify(decision))
          throw new Error(`${each.type} is refused differently when repeated`);
        events.push(...fresh);
      }
      const half = Math.min(cut, events.length);
      const halves = events.slice(half).reduce(decider.evolve, fold(decider, events.slice(0, half)));
      if (JSON.stringify(halves) !== JSON.stringify(fold(decider, events)))
        throw new Error('folding in halves differs from folding whole');
      // Any event on any state: events of an unrelated history too.
      let other = decider.initialState;
      for (const each of others) {
        const decision = decider.decide(each, other);
        if (decision.outcome === 'refused') continue;
        other = decision.events.reduce(decider.evolve, other);
        for (const event of decision.events)
          if (decider.evolve(state, event) === undefined) throw new Error(`evolve forgets the state on ${event.type}`);
      }
    }),
    { numRuns: runs, seed: 20_261_120, includeErrorInReport: true },
  );
}
