import { DefaultAzureCredential } from '@azure/identity';
import { ContainerModule } from 'inversify';
import { ServiceBusMessageBus } from '../../adapters/service-bus/service-bus-message-bus';
import { type ServiceBusAddress } from '../../adapters/service-bus/service-bus-connection';
import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { declareTopology } from '../../application/topology';
import { type Settings } from '../configuration/declarations';
import { rereadOf } from '../configuration/read-named-secrets';
import { TOKENS } from './tokens';

/** Messages over Azure Service Bus. */
export const serviceBusModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.bus)
    .toDynamicValue(({ get }) => {
      const bus = new ServiceBusMessageBus({
        ...serviceBusAddress(get(TOKENS.settings), get(TOKENS.secrets)),
        clock: get(TOKENS.clock),
        telemetry: get(TOKENS.telemetry),
      });
      return get(TOKENS.lifecycle).opened('message bus', bus, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.startChecks).toDynamicValue(({ get }) => ({
    settings: 'ServiceBus:Namespace or ServiceBus:ConnectionString',
    problems: async () => {
      const bus = get(TOKENS.bus);
      const problems: string[] = [];
      for (const { name: topic, subscriptions } of declareTopology(get(TOKENS.topology)))
        for (const { name: subscription } of subscriptions) {
          try {
            await bus.peek({ topic, subscription }, { max: 1 });
          } catch (error) {
            const code = error instanceof PortFailure ? error.code : undefined;
            // Each missing entity and each missing right is a thing to do; a namespace out of reach is one.
            if (code !== 'not-found' && code !== 'not-authorized')
              return [
                `${(error as Error).message}; correct the host of the namespace, or open the way to it (port 5671)`,
              ];
            problems.push(`${(error as Error).message}; ${remedy(code)}`);
          }
        }
      return problems;
    },
  }));
});

const remedy = (code: 'not-found' | 'not-authorized'): string =>
  code === 'not-found'
    ? 'create it with: datapump topology --plan, then --apply'
    : 'correct the connection string, or grant this identity the roles Azure Service Bus Data Sender and Data Receiver';

/** With secrets, the connection string is read again after a refusal. */
export function serviceBusAddress(settings: Settings, secrets?: SecretSource): ServiceBusAddress {
  const namespace = settings['ServiceBus:Namespace'];
  if (namespace !== '') return { namespace, credential: new DefaultAzureCredential() };
  const reread = secrets && rereadOf(settings, 'ServiceBus:ConnectionString', secrets);
  return {
    connectionString: settings['ServiceBus:ConnectionString'],
    ...(reread === undefined ? {} : { reread }),
  };
}
