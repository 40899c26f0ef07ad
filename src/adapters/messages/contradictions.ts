import { type Carried } from '../../application/messaging/messages';
import { shown } from './shown';

/** What a message's properties may say again of its body: the value that each must have where it is there at all. */
export interface Repeated {
  readonly billerId: string;
  readonly eventType: string | undefined;
  /** No member of the contract: but where a publisher puts one into the body, its property may not say otherwise. */
  readonly tenant: string | undefined;
}

/**
 * A message is routed by its properties and carried out by its body: where the two name different things, nobody can
 * tell which of them its sender meant. Text and number of the same digits are the same.
 */
export function contradictions({ properties, correlationId }: Carried, repeated: Repeated): readonly string[] {
  const said: readonly (readonly [name: string, found: unknown, expected: string | undefined])[] = [
    ['properties.billerId', properties['billerId'], repeated.billerId],
    ['properties.eventType', properties['eventType'], repeated.eventType],
    ['properties.tenant', properties['tenant'], repeated.tenant],
    ['correlationId', correlationId, repeated.billerId],
  ];
  return said
    .filter(([, found, expected]) => found !== undefined && expected !== undefined && String(found) !== expected)
    .map(([name, found, expected]) => `${name}: expected ${expected} as in the body, found ${shown(found)}`);
}
