import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** From src/ and from dist/ alike the package stands three folders up. */
const PACKAGE = resolve(__dirname, '..', '..', '..', 'package.json');

const read = () =>
  JSON.parse(readFileSync(PACKAGE, 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly gitHead?: unknown;
  };

export const version = (): string => read().version;

/** `datapump 0.1.0 (commit 1a2b3c4), Node 22.20.0`; the commit where whoever packed it wrote `gitHead` into the package. */
export function versionText(): string {
  const { name, version, gitHead } = read();
  const commit = typeof gitHead === 'string' && /^[0-9a-f]{7,64}$/.test(gitHead) ? ` (commit ${gitHead})` : '';
  return `${name} ${version}${commit}, Node ${process.versions.node}`;
}
