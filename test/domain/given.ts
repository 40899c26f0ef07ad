import { type Decider, fold } from '../../src/domain/decider';

/** An example of a decider in three steps: this has happened, this is asked, this follows. */
export const given = <State, Command, Event, No>(
  decider: Decider<State, Command, Event, No>,
  ...history: readonly Event[]
) => {
  const state = fold(decider, history);
  return {
    when: (command: Command) => {
      const decision = decider.decide(command, state);
      return {
        then: (...events: readonly Event[]) => expect(decision).toStrictEqual({ outcome: 'accepted', events }),
        thenNothing: () => expect(decision).toStrictEqual({ outcome: 'accepted', events: [] }),
        thenRefused: (refusal: No) => expect(decision).toStrictEqual({ outcome: 'refused', refusal }),
      };
    },
    /** Every member of the state, so that none is forgotten or mixed up. */
    thenState: (expected: State) => expect(state).toStrictEqual(expected),
  };
};
