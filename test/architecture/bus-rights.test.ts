import { type BusUser, busRights } from '../../src/application/messaging/bus-rights';
import { OUTBOX_TOPIC, VALIDATION_ERRORS_TOPIC } from '../../src/application/messaging/topology';
import { DEFAULT_SUBSCRIPTIONS } from '../../src/bootstrap/configuration/subscriptions-setting';
import { sourceFiles } from './source-files';

const EVENTS = 'datapump-events';
const CONSUMER: BusUser = { consumes: ['Payments'] };

/** Every service that sends, where it sends to, and who runs it. */
const SENDERS: Readonly<Record<string, { readonly topics: readonly string[]; readonly users: readonly BusUser[] }>> = {
  'delivering/record-moves.ts': { topics: [EVENTS], users: [CONSUMER] },
  'fetching/fetch-chunk.ts': { topics: [OUTBOX_TOPIC], users: ['fetcher'] },
  'fetching/fetch-rows.ts': { topics: [EVENTS, VALIDATION_ERRORS_TOPIC], users: ['fetcher'] },
  'messaging/record-broker-dead-letters.ts': { topics: [EVENTS], users: [CONSUMER] },
  'operating/redrive-chunks.ts': { topics: [OUTBOX_TOPIC], users: ['operator'] },
  'operating/redrive-dead-letters.ts': { topics: [EVENTS], users: ['operator'] },
  'operating/resolve-by-operator.ts': { topics: [EVENTS], users: ['operator'] },
  'scanning/relay-outbox.ts': { topics: [OUTBOX_TOPIC], users: ['scanner'] },
  'scanning/sweep-stalled.ts': { topics: [OUTBOX_TOPIC, EVENTS], users: ['scanner'] },
};

it('everything that sends is known here, so that a new sender is given its right', () => {
  const sending = sourceFiles('src/application')
    .filter(({ text }) => /\bbus\.send\(/.test(text))
    .map(({ path }) => path.replace('src/application/', ''));
  expect(sending.sort()).toEqual(Object.keys(SENDERS).sort());
});

it.each(['scanner', 'fetcher', 'operator', CONSUMER] as const)(
  '%j may send where its services send, and nowhere else',
  (user) => {
    const needed = Object.values(SENDERS)
      .filter(({ users }) => users.includes(user))
      .flatMap(({ topics }) => topics);
    const { sends } = busRights(user, { eventsTopic: EVENTS, subscriptions: DEFAULT_SUBSCRIPTIONS });
    expect([...sends].sort()).toEqual([...new Set(needed)].sort());
  },
);
