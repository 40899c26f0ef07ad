import { createHash } from 'node:crypto';

/** A dpId has at most 56 characters, or no message could carry it. */
const LENGTH_MAX = 56;

/**
 * `scope.name` where that makes a sound id and the scope holds no dot, so that it comes apart in one way only; else a
 * hash, which holds no dot and so never equals such an id. Every importer of one file, on every stack, derives the same.
 */
export function derivedId(scope: string, name: string): string {
  const readable = `${scope}.${name}`;
  if (/^[A-Za-z0-9_-]+$/.test(scope) && /^[^\s:]+$/.test(name) && readable.length <= LENGTH_MAX) return readable;
  return `sha256-${createHash('sha256')
    .update(JSON.stringify([scope, name]))
    .digest('hex')
    .slice(0, 48)}`;
}
