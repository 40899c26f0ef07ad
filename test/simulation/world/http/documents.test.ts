import { profileFromDocument } from '../../../../src/adapters/biller-profiles/profile-from-document';
import { validateProfileDocument } from '../../../../src/adapters/biller-profiles/validate-profile-document';
import { sha256Digest } from '../../../../src/adapters/system/sha256-digest';
import { Dice } from '../dice';
import { planScenario } from '../scenario';
import { documentOf } from './documents';

const RULES = { hosts: { allowedHosts: ['*.example'], allowPlainLoopback: false }, digest: sha256Digest };
const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

it('writes profiles that the product takes, and that say what the simulated biller is', () => {
  const kinds = new Set<string>();
  for (const seed of SEEDS) {
    const dice = new Dice(seed);
    for (const { profile } of planScenario(dice).billers) {
      const document = documentOf(profile, dice);
      kinds.add(document.Authentication.Kind).add(document.Requests.Payment!.Format);
      expect(validateProfileDocument(document, `seed ${seed}`, RULES)).not.toHaveProperty('problems');
      expect(profileFromDocument(document, profile.version)).toEqual({ ...profile, document });
    }
  }
  expect([...kinds].sort()).toEqual(['ApiKey', 'Basic', 'OAuth2ClientCredentials', 'form', 'json', 'xml']);
});
