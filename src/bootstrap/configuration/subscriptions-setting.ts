import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';
import { jsonFromText, listFromText, type SettingKind } from './setting-kinds';

export type SubscriptionNames = Readonly<Record<DataType, string>>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/;

export const DEFAULT_SUBSCRIPTIONS: SubscriptionNames = fill((dataType) => dataType.toLowerCase());

/**
 * Which subscription each data type is read from: a map, where a data type left out keeps its default, or the older
 * form, a list of the four names, each spelled as its data type but for case.
 */
export const subscriptionNames: SettingKind<SubscriptionNames> = {
  expected: `a map from data type (${DATA_TYPES.join(', ')}) to subscription name, or the list of the four names`,
  read(found) {
    const value = typeof found === 'string' ? (jsonFromText(found) ?? listFromText(found)) : found;
    const names = Array.isArray(value) ? fromList(value) : fromMap(value);
    return names && new Set(Object.values(names)).size === DATA_TYPES.length ? names : undefined;
  },
};

function fromList(list: readonly unknown[]): SubscriptionNames | undefined {
  if (list.length !== DATA_TYPES.length || !list.every((name) => typeof name === 'string')) return undefined;
  const named = (dataType: DataType) => list.find((name) => name.toLowerCase() === dataType.toLowerCase());
  return DATA_TYPES.every(named) ? fill((dataType) => named(dataType)!) : undefined;
}

function fromMap(map: unknown): SubscriptionNames | undefined {
  if (typeof map !== 'object' || map === null) return undefined;
  const entries = Object.entries(map);
  const known = entries.every(
    ([dataType, name]) => dataType in DEFAULT_SUBSCRIPTIONS && typeof name === 'string' && NAME.test(name),
  );
  return known ? { ...DEFAULT_SUBSCRIPTIONS, ...(map as Partial<SubscriptionNames>) } : undefined;
}

function fill(name: (dataType: DataType) => string): SubscriptionNames {
  return Object.fromEntries(DATA_TYPES.map((dataType) => [dataType, name(dataType)])) as Record<DataType, string>;
}
