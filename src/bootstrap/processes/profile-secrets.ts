import { PortFailure } from '../../application/ports/failures';
import { type SecretSource } from '../../application/ports/secret-source';
import { type BillerProfile } from '../../domain/biller/biller-profile';
import { type BillerDocument } from '../../adapters/shared/biller-document/biller-document';

/** Secrets asked for at a time. */
const AT_A_TIME = 16;

export interface SecretFindings {
  /** A sentence for each secret that certainly is not there, with the billers that need it. */
  readonly missing: readonly string[];
  /** Names that could not be looked for: their store is out of reach, which is no reason to refuse anything. */
  readonly unknown: readonly string[];
}

/** Looks for every secret that the profiles name. A store that cannot answer ends the look: the rest stays unknown. */
export async function findProfileSecrets(
  profiles: readonly BillerProfile[],
  source: SecretSource,
): Promise<SecretFindings> {
  const billersOf = new Map<string, string[]>();
  for (const profile of profiles.filter(({ rollout }) => rollout !== 'off'))
    for (const name of secretNames(profile.document as unknown as BillerDocument))
      billersOf.set(name, [...(billersOf.get(name) ?? []), profile.billerId]);
  const missing: string[] = [];
  const unknown: string[] = [];
  const names = [...billersOf.keys()];
  for (let from = 0; from < names.length; from += AT_A_TIME) {
    const asked = names.slice(from, from + AT_A_TIME);
    const answers = await Promise.all(asked.map((name) => lookFor(source, name)));
    asked.forEach((name, index) => {
      const found = answers[index]!;
      const billers = billersOf.get(name)!;
      if (found === 'unknown') unknown.push(name);
      else if (found !== 'there')
        missing.push(`biller${billers.length > 1 ? 's' : ''} ${billers.join(', ')}: ${found}`);
    });
    if (unknown.length > 0) return { missing, unknown: [...unknown, ...names.slice(from + AT_A_TIME)] };
  }
  return { missing, unknown };
}

async function lookFor(source: SecretSource, name: string): Promise<string> {
  try {
    return (await source.secret(name)) === '' ? `secret ${name} is empty` : 'there';
  } catch (error) {
    if (error instanceof PortFailure) return error.retryable ? 'unknown' : error.message;
    throw error;
  }
}

function secretNames({ Authentication: auth }: BillerDocument): readonly string[] {
  switch (auth.Kind) {
    case 'OAuth2ClientCredentials':
      return [auth.ClientIdSecret, auth.ClientSecretSecret];
    case 'ApiKey':
      return [auth.KeySecret];
    case 'Basic':
      return [auth.UserSecret, auth.PasswordSecret];
    case 'None':
      return [];
  }
}
