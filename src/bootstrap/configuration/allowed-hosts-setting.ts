import { hostPatternProblem } from '../../adapters/shared/biller-document/allowed-hosts';
import { listFromText, type SettingKind } from './setting-kinds';

/** Hosts by name: an address, a whole top-level domain or a public suffix would let strangers in. */
export const hostPatterns: SettingKind<readonly string[]> = {
  expected:
    'a list of host names: api.example.com (port 443 alone), api.example.com:8443 (that port alone), *.example.com (all below it); no addresses, no *.com, *.co.uk or the like',
  read(found) {
    const list = typeof found === 'string' ? listFromText(found) : found;
    if (!Array.isArray(list) || new Set(list).size !== list.length) return undefined;
    return list.every((item): item is string => typeof item === 'string' && hostPatternProblem(item) === undefined)
      ? list
      : undefined;
  },
};
