/** What a decision yields: events to append (none: it is already so), or a business "no". */
export type Decision<Event, No> =
  | { readonly outcome: 'accepted'; readonly events: readonly Event[] }
  | { readonly outcome: 'refused'; readonly refusal: No };

/**
 * One aggregate as plain functions. Laws, tested for each decider over generated histories:
 * deciding twice is deciding once; a refusal changes nothing; `evolve` is total and never throws;
 * terminal means terminal; folding in two halves equals folding whole.
 */
export interface Decider<State, Command, Event, No> {
  readonly initialState: State;
  /** Time and ids arrive inside the command. */
  readonly decide: (command: Command, state: State) => Decision<Event, No>;
  readonly evolve: (state: State, event: Event) => State;
  readonly isTerminal: (state: State) => boolean;
}

export const accepted = <Event>(...events: Event[]): { outcome: 'accepted'; events: readonly Event[] } => ({
  outcome: 'accepted',
  events,
});
/** Nothing to append: the state already says what the command asks for. */
export const alreadySo = { outcome: 'accepted', events: [] } as const;
export const refused = <No>(refusal: No): { outcome: 'refused'; refusal: No } => ({ outcome: 'refused', refusal });

export const fold = <State, Event>(
  decider: Pick<Decider<State, never, Event, never>, 'initialState' | 'evolve'>,
  events: readonly Event[],
): State => events.reduce(decider.evolve, decider.initialState);
