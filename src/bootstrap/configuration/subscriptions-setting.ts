import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { jsonFromText, listFromText, type SettingKind } from './setting-kinds';

/** A data type without a name is not worked on by this installation. */
export type SubscriptionNames = Readonly<Partial<Record<DataType, string>>>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/;

export const DEFAULT_SUBSCRIPTIONS: Readonly<Record<DataType, string>> = fill((dataType) => dataType.toLowerCase());

/**
 * Which subscription each data type is read from: a map, where a data type left out keeps its default, or the older
 * form, a list of any of the four names, each spelled as its data type but for case: those left out are not worked on.
 */
export const subscriptionNames: SettingKind<SubscriptionNames> = {
  expected: `a map from data type (${DATA_TYPES.join(', ')}) to subscription name, or a list of any of the four names`,
  read(found) {
    const value = typeof found === 'string' ? (jsonFromText(found) ?? listFromText(found)) : found;
    const names = Array.isArray(value) ? fromList(value) : fromMap(value);
    return names && new Set(Object.values(declaredSubscriptions(names))).size === DATA_TYPES.length ? names : undefined;
  },
};

function fromList(list: readonly unknown[]): SubscriptionNames | undefined {
  if (list.length === 0) return undefined;
  const names: Partial<Record<DataType, string>> = {};
  for (const name of list) {
    const low = typeof name === 'string' ? name.toLowerCase() : undefined;
    const dataType = DATA_TYPES.find((one) => one.toLowerCase() === low);
    if (dataType === undefined || names[dataType] !== undefined) return undefined;
    names[dataType] = name as string;
  }
  return names;
}

function fromMap(map: unknown): SubscriptionNames | undefined {
  if (typeof map !== 'object' || map === null) return undefined;
  const entries = Object.entries(map);
  const known = entries.every(
    ([dataType, name]) => dataType in DEFAULT_SUBSCRIPTIONS && typeof name === 'string' && NAME.test(name),
  );
  return known ? { ...DEFAULT_SUBSCRIPTIONS, ...(map as Partial<SubscriptionNames>) } : undefined;
}

/**
 * All four stand in the topology: a message for a type that is not worked on here, from another program or from before
 * the setting changed, waits in its subscription instead of matching no filter and being lost.
 */
export const declaredSubscriptions = (names: SubscriptionNames): Readonly<Record<DataType, string>> => ({
  ...DEFAULT_SUBSCRIPTIONS,
  ...names,
});

/** The data types that are claimed and consumed here. */
export const workedTypes = (names: SubscriptionNames): readonly DataType[] =>
  DATA_TYPES.filter((dataType) => names[dataType] !== undefined);

function fill(name: (dataType: DataType) => string): Readonly<Record<DataType, string>> {
  return Object.fromEntries(DATA_TYPES.map((dataType) => [dataType, name(dataType)])) as Record<DataType, string>;
}
