import { ContainerModule } from 'inversify';
import { ValidatedMessageContracts } from '../../adapters/messages/validated-message-contracts';
import { createBillerControl } from '../../application/operating/biller-control';
import { createHistory } from '../../application/history/history';
import { relayOutbox } from '../../application/scanning/relay-outbox';
import { createShardClock } from '../../application/shard-clock';
import { declaredSubscriptions, workedTypes } from '../configuration/subscriptions-setting';
import { TOKENS } from './tokens';

/** What the services share: histories, clocks of the shards, operators' orders. */
export const applicationModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.contracts)
    .toDynamicValue(() => new ValidatedMessageContracts())
    .inSingletonScope();
  bind(TOKENS.topology)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      return {
        eventsTopic: settings['ServiceBus:TopicName'],
        subscriptions: declaredSubscriptions(settings['ServiceBus:Subscriptions']),
        dataTypes: workedTypes(settings['ServiceBus:Subscriptions']),
        lockMs: settings['Bus:LockSeconds'] * 1_000,
        deliveryCountMax: settings['Bus:DeliveryCountMax'],
        duplicateDetectionWindowMs: settings['Bus:DuplicateDetectionMinutes'] * 60_000,
      };
    })
    .inSingletonScope();
  bind(TOKENS.history)
    .toDynamicValue(({ get }) =>
      createHistory(
        { eventStore: get(TOKENS.eventStore), chance: get(TOKENS.chance), clock: get(TOKENS.clock) },
        get(TOKENS.processName),
      ),
    )
    .inSingletonScope();
  bind(TOKENS.shardClock)
    .toDynamicValue(({ get }) =>
      createShardClock(get(TOKENS.clock), get(TOKENS.settings)['Clock:SampleSeconds'] * 1_000),
    )
    .inSingletonScope();
  bind(TOKENS.control)
    .toDynamicValue(({ get }) =>
      createBillerControl(
        { eventStore: get(TOKENS.eventStore), clock: get(TOKENS.clock), chance: get(TOKENS.chance) },
        { cacheMs: get(TOKENS.settings)['Control:CacheSeconds'] * 1_000, by: get(TOKENS.processName) },
      ),
    )
    .inSingletonScope();
  bind(TOKENS.relayOutbox)
    .toDynamicValue(({ get }) =>
      relayOutbox({
        history: get(TOKENS.history),
        bus: get(TOKENS.bus),
        clock: get(TOKENS.clock),
        chance: get(TOKENS.chance),
      }),
    )
    .inSingletonScope();
});
