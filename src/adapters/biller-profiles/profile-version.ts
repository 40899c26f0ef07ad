import { type Digest } from '../../application/ports/digest';
import { type ProfileVersion } from '../../domain/identifiers';

/** The first 16 hex digits of SHA-256 over the document with its keys in order: layout and key order do not count. */
export const versionOf = (document: unknown, digest: Digest): ProfileVersion =>
  digest(canonicalJson(document)).slice(0, 16) as ProfileVersion;

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}
