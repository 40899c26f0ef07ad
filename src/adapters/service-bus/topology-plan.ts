import { type SubscriptionDeclaration, type TopicDeclaration } from '../../application/ports/message-bus';

export interface ExistingTopic {
  readonly name: string;
  readonly partitioned: boolean;
  /** 0: no duplicate detection. */
  readonly duplicateDetectionWindowMs: number;
  readonly timeToLiveMs: number | undefined;
  readonly subscriptions: readonly ExistingSubscription[];
}

export interface ExistingSubscription {
  readonly name: string;
  readonly lockMs: number | undefined;
  readonly deliveryCountMax: number;
  /** `sql` is undefined for a correlation filter. */
  readonly rules: readonly { readonly name: string; readonly sql: string | undefined }[];
}

/** `by-hand` is for what the service cannot change or what would delete something: people do that. */
export type TopologyStep =
  | { readonly kind: 'create-topic'; readonly topic: TopicDeclaration; readonly partitioned: boolean }
  | { readonly kind: 'change-topic'; readonly topic: TopicDeclaration; readonly differences: readonly string[] }
  | {
      readonly kind: 'create-subscription';
      readonly topic: string;
      readonly subscription: SubscriptionDeclaration;
      readonly sql: string;
    }
  | {
      readonly kind: 'change-subscription';
      readonly topic: string;
      readonly subscription: SubscriptionDeclaration;
      readonly differences: readonly string[];
    }
  | {
      readonly kind: 'create-rule' | 'change-rule';
      readonly topic: string;
      readonly subscription: string;
      readonly sql: string;
    }
  | { readonly kind: 'by-hand'; readonly entity: string; readonly what: string };

export const RULE_NAME = 'datapump';
/** Limits of the service (Microsoft, "Service Bus quotas"). */
const LOCK_MS_MAX = 5 * 60_000;
const WINDOW_MS_MIN = 20_000;
const WINDOW_MS_MAX = 7 * 24 * 3_600_000;

/** What the declared topology lacks in the namespace, or has there differently. Nothing is ever deleted. */
export function planTopology(
  declared: readonly TopicDeclaration[],
  existing: readonly ExistingTopic[],
  options: { readonly partitioned: boolean },
): readonly TopologyStep[] {
  return declared.flatMap((topic) => {
    const found = existing.find(({ name }) => name === topic.name);
    const ownSteps: readonly TopologyStep[] =
      found === undefined
        ? [{ kind: 'create-topic', topic, partitioned: options.partitioned }]
        : [...topicSteps(topic, found, options.partitioned)];
    return [...ownSteps, ...topic.subscriptions.flatMap((each) => [...subscriptionSteps(topic.name, each, found)])];
  });
}

/** What no namespace could hold, all of it at once. */
export function topologyProblems(declared: readonly TopicDeclaration[]): readonly string[] {
  return declared.flatMap(({ name, duplicateDetectionWindowMs: window, subscriptions }) => [
    ...(window !== 0 && (window < WINDOW_MS_MIN || window > WINDOW_MS_MAX)
      ? [`topic ${name}: its duplicate detection window is ${window} ms, expected 20 s to 7 days`]
      : []),
    ...subscriptions
      .filter(({ lockMs }) => lockMs > LOCK_MS_MAX)
      .map((each) => `subscription ${name}/${each.name}: its lock is ${each.lockMs} ms, expected at most 5 minutes`),
  ]);
}

/** eventType equals the declared one, and `target` is absent or names this subscription. */
export function filterSql({ name, eventType }: SubscriptionDeclaration): string {
  const aimed = `(NOT EXISTS(target) OR target = ${quoted(name)})`;
  return eventType === undefined ? aimed : `eventType = ${quoted(eventType)} AND ${aimed}`;
}

/** One line a step, for people. */
export function describeStep(step: TopologyStep): string {
  switch (step.kind) {
    case 'create-topic':
      return `create topic ${step.topic.name}${step.partitioned ? ', partitioned' : ''}, duplicates detected for ${step.topic.duplicateDetectionWindowMs} ms`;
    case 'change-topic':
      return `change topic ${step.topic.name}: ${step.differences.join(', ')}`;
    case 'create-subscription':
      return `create subscription ${step.topic}/${step.subscription.name}, lock ${step.subscription.lockMs} ms, at most ${step.subscription.deliveryCountMax} deliveries, filter ${step.sql}`;
    case 'change-subscription':
      return `change subscription ${step.topic}/${step.subscription.name}: ${step.differences.join(', ')}`;
    case 'create-rule':
    case 'change-rule':
      return `${step.kind === 'create-rule' ? 'create' : 'change'} the rule ${RULE_NAME} of ${step.topic}/${step.subscription}: ${step.sql}`;
    case 'by-hand':
      return `by hand: ${step.entity}: ${step.what}`;
  }
}

function* topicSteps(topic: TopicDeclaration, found: ExistingTopic, partitioned: boolean): Generator<TopologyStep> {
  const byHand = (what: string): TopologyStep => ({ kind: 'by-hand', entity: `topic ${topic.name}`, what });
  if (found.partitioned !== partitioned)
    yield byHand(
      `is ${found.partitioned ? '' : 'not '}partitioned, which only deleting and creating it anew can change`,
    );
  const window = topic.duplicateDetectionWindowMs;
  const detects = found.duplicateDetectionWindowMs > 0;
  if (detects !== window > 0)
    yield byHand(
      `duplicate detection is ${detects ? 'on' : 'off'}, which only deleting and creating it anew can change`,
    );
  const differences = [
    ...(detects && window > 0 ? differing('duplicate detection window', found.duplicateDetectionWindowMs, window) : []),
    ...differing('time to live', found.timeToLiveMs, topic.timeToLiveMs),
  ];
  if (differences.length > 0) yield { kind: 'change-topic', topic, differences };
}

function* subscriptionSteps(
  topic: string,
  subscription: SubscriptionDeclaration,
  parent: ExistingTopic | undefined,
): Generator<TopologyStep, void> {
  const sql = filterSql(subscription);
  const found = parent?.subscriptions.find(({ name }) => name === subscription.name);
  if (found === undefined) {
    yield { kind: 'create-subscription', topic, subscription, sql };
    return;
  }
  const differences = [
    ...differing('lock', found.lockMs, subscription.lockMs),
    ...differing('delivery count', found.deliveryCountMax, subscription.deliveryCountMax, ''),
  ];
  if (differences.length > 0) yield { kind: 'change-subscription', topic, subscription, differences };
  // Under whatever name: a template of the resource manager can only overwrite the rule $Default that is there from the first.
  const rule = found.rules.find(({ name }) => name === RULE_NAME) ?? found.rules.find((each) => each.sql === sql);
  if (rule === undefined) yield { kind: 'create-rule', topic, subscription: subscription.name, sql };
  else if (rule.sql !== sql) yield { kind: 'change-rule', topic, subscription: subscription.name, sql };
  for (const { name, sql: other } of found.rules) {
    if (name === RULE_NAME || other === sql) continue;
    const entity = `subscription ${topic}/${subscription.name}`;
    yield { kind: 'by-hand', entity, what: `its rule ${name} lets other messages in too: remove it` };
  }
}

function differing(what: string, is: number | undefined, shall: number | undefined, unit = ' ms'): readonly string[] {
  const text = (value: number | undefined): string => (value === undefined ? 'for ever' : `${value}${unit}`);
  return is === shall ? [] : [`${what} ${text(is)} -> ${text(shall)}`];
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
