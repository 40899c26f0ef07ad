import { readFileSync } from 'node:fs';
import { type Container } from 'inversify';
import { sealCryptography } from '../../adapters/system/seal-cryptography';
import { PortFailure } from '../../application/ports/failures';
import { type SealCryptography } from '../../application/ports/seal-cryptography';
import { UsageProblems } from '../command-line/problems';
import { TOKENS } from './tokens';

/** With the keys that the settings name; all that is wrong with those at once. */
export async function sealKeysOf(container: Container): Promise<SealCryptography> {
  const settings = container.get(TOKENS.settings);
  const problems: string[] = [];
  const file = settings['Seal:PublicKeyFile'];
  const publicKeys = file === '' ? undefined : readKeys(file, problems);
  const secret = settings['Seal:SigningKeySecret'];
  const privateKey = secret === '' ? undefined : await signingKey(container, secret, problems);
  const both = {
    ...(publicKeys === undefined ? {} : { publicKeys }),
    ...(privateKey === undefined ? {} : { privateKey }),
  };
  // Each alone first, so that one that is wrong does not hide the other.
  if (publicKeys !== undefined) tried(`Seal:PublicKeyFile: ${file}: `, { publicKeys }, problems);
  if (privateKey !== undefined) tried(`Seal:SigningKeySecret: ${secret}: `, { privateKey }, problems);
  if (problems.length > 0) throw new UsageProblems(problems);
  return sealCryptography(both);
}

function tried(named: string, keys: Parameters<typeof sealCryptography>[0], problems: string[]): void {
  try {
    sealCryptography(keys);
  } catch (error) {
    problems.push(`${named}${(error as Error).message}`);
  }
}

function readKeys(file: string, problems: string[]): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    problems.push(
      `Seal:PublicKeyFile: ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}); name a PEM file`,
    );
    return undefined;
  }
}

async function signingKey(container: Container, name: string, problems: string[]): Promise<string | undefined> {
  try {
    return await container.get(TOKENS.secrets).secret(name);
  } catch (error) {
    if (!(error instanceof PortFailure) || error.retryable) throw error;
    problems.push(`Seal:SigningKeySecret: ${error.message}`);
    return undefined;
  }
}
