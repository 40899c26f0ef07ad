import { createHash } from 'node:crypto';
import { isId } from '../../domain/identifiers';

/**
 * `scope.name` where that makes a sound id and the scope holds no dot, so that it comes apart in one way only; else a
 * hash, which holds no dot and so never equals such an id. Every importer of one file, on every stack, derives the same.
 */
export function derivedId(scope: string, name: string): string {
  const readable = `${scope}.${name}`;
  if (/^[A-Za-z0-9_-]+$/.test(scope) && isId(readable)) return readable;
  return `sha256-${createHash('sha256')
    .update(JSON.stringify([scope, name]))
    .digest('hex')
    .slice(0, 48)}`;
}
