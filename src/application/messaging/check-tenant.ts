import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type BillerProfiles } from '../ports/biller-profiles';
import { type PeekedMessage } from '../ports/message-bus';
import { tenantOf } from './send-again';

/**
 * A message may name the tenant that its biller has, one that it had when the message was sent, or the biller's id, which
 * stands for it where there is none: a profile's tenant may change while messages are under way, and they stay sound.
 * Any other is another customer's: undefined, or what is wrong. Past tenants are read only where the present one is not
 * the one named.
 */
export async function strangeTenant(
  profiles: Pick<BillerProfiles, 'tenants'>,
  profile: BillerProfile,
  { properties }: Pick<PeekedMessage, 'properties'>,
): Promise<string | undefined> {
  const { tenant } = properties;
  const { billerId } = profile;
  if (tenant === undefined || tenant === profile.tenant || String(tenant) === billerId) return undefined;
  if ((await profiles.tenants(billerId)).includes(String(tenant))) return undefined;
  return `properties.tenant: expected ${tenantOf(billerId, profile)}, the tenant of biller ${billerId}, found ${JSON.stringify(tenant).slice(0, 80)}`;
}
