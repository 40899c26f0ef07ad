import { ServiceBusAdministrationClient, type RuleProperties } from '@azure/service-bus';
import { type SubscriptionDeclaration, type TopicDeclaration } from '../../application/ports/message-bus';
import { isoDuration, msOfIsoDuration } from './iso-duration';
import { type ServiceBusAddress } from './service-bus-connection';
import { serviceBusFailure } from './service-bus-failures';
import {
  describeStep,
  type ExistingSubscription,
  type ExistingTopic,
  RULE_NAME,
  type TopologyStep,
} from './topology-plan';

/** .NET's longest time span: what the service itself writes for "never expires". */
const FOR_EVER = 'P10675199DT2H48M5.4775807S';
const RULES_MAX = 100;
const HTTP_RETRIES_MAX = 2;

export type ServiceBusTopologyOptions = ServiceBusAddress & {
  /** Where the administration speaks plain HTTP instead of the namespace's https: the emulator, `http://localhost:5300`. */
  readonly administrationUrl?: string;
};

/** Reads and changes a namespace through its administration API. Needs the right to manage; services do not. */
export class ServiceBusTopology {
  private readonly client: ServiceBusAdministrationClient;

  constructor(options: ServiceBusTopologyOptions) {
    const settings = { retryOptions: { maxRetries: HTTP_RETRIES_MAX } };
    try {
      this.client =
        'connectionString' in options
          ? new ServiceBusAdministrationClient(options.connectionString, settings)
          : new ServiceBusAdministrationClient(options.namespace, options.credential, settings);
    } catch (error) {
      throw serviceBusFailure('read the Service Bus connection settings', error);
    }
    if (options.administrationUrl !== undefined) this.redirectTo(new URL(options.administrationUrl));
  }

  /** What there is of the declared topics, for `planTopology`; other entities of the namespace are not looked at. */
  async read(declared: readonly TopicDeclaration[]): Promise<readonly ExistingTopic[]> {
    const found = await Promise.all(declared.map((topic) => this.readTopic(topic)));
    return found.filter((topic) => topic !== undefined);
  }

  /** In order, one at a time; stops at the first failure, and a second run does what is left. */
  async apply(steps: readonly TopologyStep[], onDone: (step: TopologyStep) => void = () => undefined): Promise<void> {
    for (const step of steps) {
      if (step.kind === 'by-hand') continue;
      await this.applyStep(step).catch((error: unknown) => {
        throw serviceBusFailure(describeStep(step), error);
      });
      onDone(step);
    }
  }

  private async applyStep(step: Exclude<TopologyStep, { kind: 'by-hand' }>): Promise<void> {
    switch (step.kind) {
      case 'create-topic': {
        const window = step.topic.duplicateDetectionWindowMs;
        await this.client.createTopic(step.topic.name, {
          enablePartitioning: step.partitioned,
          requiresDuplicateDetection: window > 0,
          ...(window > 0 ? { duplicateDetectionHistoryTimeWindow: isoDuration(window) } : {}),
          defaultMessageTimeToLive: timeToLive(step.topic),
        });
        return;
      }
      case 'change-topic': {
        const topic = await this.client.getTopic(step.topic.name);
        const window = step.topic.duplicateDetectionWindowMs;
        await this.client.updateTopic({
          ...topic,
          defaultMessageTimeToLive: timeToLive(step.topic),
          ...(topic.requiresDuplicateDetection && window > 0
            ? { duplicateDetectionHistoryTimeWindow: isoDuration(window) }
            : {}),
        });
        return;
      }
      case 'create-subscription':
        await this.client.createSubscription(step.topic, step.subscription.name, {
          lockDuration: isoDuration(step.subscription.lockMs),
          maxDeliveryCount: step.subscription.deliveryCountMax,
          // From the first moment: the default rule would let every message in until it is replaced.
          defaultRuleOptions: { name: RULE_NAME, filter: { sqlExpression: step.sql } },
        });
        return;
      case 'change-subscription': {
        const subscription = await this.client.getSubscription(step.topic, step.subscription.name);
        await this.client.updateSubscription({
          ...subscription,
          lockDuration: isoDuration(step.subscription.lockMs),
          maxDeliveryCount: step.subscription.deliveryCountMax,
        });
        return;
      }
      case 'create-rule':
        await this.client.createRule(step.topic, step.subscription, RULE_NAME, { sqlExpression: step.sql });
        return;
      case 'change-rule': {
        const rule = await this.client.getRule(step.topic, step.subscription, RULE_NAME);
        await this.client.updateRule(step.topic, step.subscription, { ...rule, filter: { sqlExpression: step.sql } });
        return;
      }
    }
  }

  private async readTopic(declared: TopicDeclaration): Promise<ExistingTopic | undefined> {
    const topic = await foundOrNot(`read topic ${declared.name}`, () => this.client.getTopic(declared.name));
    if (topic === undefined) return undefined;
    const subscriptions = await Promise.all(
      declared.subscriptions.map((each) => this.readSubscription(declared.name, each)),
    );
    return {
      name: declared.name,
      partitioned: topic.enablePartitioning,
      duplicateDetectionWindowMs: topic.requiresDuplicateDetection
        ? (msOfIsoDuration(topic.duplicateDetectionHistoryTimeWindow) ?? 0)
        : 0,
      timeToLiveMs: msOfIsoDuration(topic.defaultMessageTimeToLive),
      subscriptions: subscriptions.filter((each) => each !== undefined),
    };
  }

  private async readSubscription(
    topic: string,
    { name }: SubscriptionDeclaration,
  ): Promise<ExistingSubscription | undefined> {
    const step = `read subscription ${topic}/${name}`;
    const subscription = await foundOrNot(step, () => this.client.getSubscription(topic, name));
    if (subscription === undefined) return undefined;
    const rules: RuleProperties[] = [];
    try {
      for await (const rule of this.client.listRules(topic, name)) {
        rules.push(rule);
        if (rules.length === RULES_MAX) break;
      }
    } catch (error) {
      throw serviceBusFailure(step, error);
    }
    return {
      name,
      lockMs: msOfIsoDuration(subscription.lockDuration),
      deliveryCountMax: subscription.maxDeliveryCount,
      rules: rules.map((rule) => ({
        name: rule.name,
        sql: 'sqlExpression' in rule.filter ? rule.filter.sqlExpression : undefined,
      })),
    };
  }

  private redirectTo({ protocol, host }: URL): void {
    this.client.pipeline.addPolicy({
      name: 'administration-url',
      sendRequest: (request, next) => {
        const url = new URL(request.url);
        request.url = `${protocol}//${host}${url.pathname}${url.search}`;
        request.allowInsecureConnection = true;
        return next(request);
      },
    });
  }
}

const timeToLive = ({ timeToLiveMs }: TopicDeclaration): string =>
  timeToLiveMs === undefined ? FOR_EVER : isoDuration(timeToLiveMs);

async function foundOrNot<T>(step: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const failure = serviceBusFailure(step, error);
    if (failure.code === 'not-found') return undefined;
    throw failure;
  }
}
