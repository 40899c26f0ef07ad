import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type BillerId, type ProfileVersion } from '../../domain/identifiers';

/**
 * Laws:
 *  1  current yields the newest valid profile of a biller, undefined where there is none.
 *  2  version yields exactly the profile that had that version, for ever, also after the file changed or vanished.
 *  3  A profile is readable by version before any attempt can name it.
 *  4  tenants yields every tenant that any version of the biller's profile names or ever named, each once.
 */
export interface BillerProfiles {
  all(): Promise<readonly BillerProfile[]>;
  current(biller: BillerId): Promise<BillerProfile | undefined>;
  version(biller: BillerId, version: ProfileVersion): Promise<BillerProfile | undefined>;
  tenants(biller: BillerId): Promise<readonly string[]>;
}
