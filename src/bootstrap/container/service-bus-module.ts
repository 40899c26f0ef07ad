import { DefaultAzureCredential } from '@azure/identity';
import { ContainerModule } from 'inversify';
import { ServiceBusMessageBus } from '../../adapters/service-bus/service-bus-message-bus';
import { requestLimitMs, type ServiceBusAddress } from '../../adapters/service-bus/service-bus-connection';
import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { busRights } from '../../application/messaging/bus-rights';
import { type Settings } from '../configuration/declarations';
import { rereadOf } from '../configuration/read-named-secrets';
import { addressSetting } from '../configuration/stack-checks';
import { type StartCheck, type StartProblem } from './start-check';
import { TOKENS } from './tokens';

/** Messages over Azure Service Bus. */
export const serviceBusModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.bus)
    .toDynamicValue(({ get }) => {
      const bus = new ServiceBusMessageBus({
        ...serviceBusAddress(get(TOKENS.settings), get(TOKENS.secrets)),
        clock: get(TOKENS.clock),
        telemetry: get(TOKENS.telemetry),
        partitioned: get(TOKENS.settings)['ServiceBus:Partitioned'],
        operationTimeoutMs: requestLimitMs(get(TOKENS.topology).lockMs),
      });
      return get(TOKENS.lifecycle).opened('message bus', bus, (open) => open.close());
    })
    .inSingletonScope();
  bind(TOKENS.startChecks).toDynamicValue(({ get }): StartCheck => ({
    settings: addressSetting(get(TOKENS.settings), 'service-bus'),
    problems: async (user) => {
      const bus = get(TOKENS.bus);
      // Where several services run together, or an operator looks, it is all of them.
      const sources = busRights(user ?? 'operator', get(TOKENS.topology)).receives;
      const problems: (string | StartProblem)[] = [];
      for (const source of sources) {
        try {
          await bus.peek(source, { max: 1 });
        } catch (error) {
          const code = error instanceof PortFailure ? error.code : undefined;
          const { message } = error as Error;
          if (code === 'not-found') problems.push(`${message}; create it with: datapump topology --plan, then --apply`);
          // A token that is refused is refused for all of them; a right may be missing for each.
          else if (code === 'not-authorized' && TOKEN_REFUSED.test(message))
            return [`${message}; correct the key and its name: the namespace takes them for nothing`];
          else if (code === 'not-authorized')
            problems.push(
              `${message}; grant this identity the roles Azure Service Bus Data Receiver there and Data Sender where it sends`,
            );
          // A namespace out of reach is one thing to do.
          else {
            const passing = error instanceof PortFailure && error.retryable;
            return [
              { text: `${message}; correct the host of the namespace, or open the way to it (port 5671)`, passing },
            ];
          }
        }
      }
      return problems;
    },
  }));
});

const TOKEN_REFUSED = /invalid.?signature|invalid.?token|40103/i;

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
