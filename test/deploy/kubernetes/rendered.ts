import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ROOT } from '../../architecture/source-files';

/** A manifest as the cluster would get it. Its content is what policies look at, so it is taken as it comes. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  spec?: any;
  data?: Record<string, string>;
  value?: number;
}

const OVERLAYS = 'deploy/kubernetes/overlays';
export const overlays = readdirSync(join(ROOT, OVERLAYS)).sort();

/** Components and replacements came with it. */
const KUSTOMIZE_MAJOR_MIN = 5;
/** kustomize itself, or the one inside kubectl; undefined where this machine has neither, or an old one. */
export function kustomizeOfThisMachine(): readonly string[] | undefined {
  const ways = [
    { command: ['kustomize', 'build'], version: ['kustomize', 'version'] },
    { command: ['kubectl', 'kustomize'], version: ['kubectl', 'version', '--client'] },
  ];
  return ways.find(({ version: [program, ...words] }) => {
    const said = spawnSync(program!, words, { encoding: 'utf8', timeout: 30_000 }).stdout ?? '';
    const major = /(?:Kustomize Version: |^)v(\d+)\./m.exec(said.replace(/^Client Version.*$/m, ''))?.[1];
    return Number(major) >= KUSTOMIZE_MAJOR_MIN;
  })?.command;
}

/** What is applied for an overlay. Fails where kustomize refuses it. */
export function render([program, ...words]: readonly string[], overlay: string): readonly Manifest[] {
  const run = spawnSync(program!, [...words, `${OVERLAYS}/${overlay}`], { cwd: ROOT, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`kustomize refused ${overlay}: ${run.stderr}`);
  return parseAllDocuments(run.stdout).map((document) => document.toJS() as Manifest);
}

export const ofKind = (manifests: readonly Manifest[], ...kinds: readonly string[]): readonly Manifest[] =>
  manifests.filter(({ kind }) => kinds.includes(kind));

/** One by kind and the beginning of its name: generated names end in a hash. */
export function one(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name.startsWith(name));
  if (found.length !== 1) throw new Error(`found ${found.length} of ${kind} ${name}`);
  return found[0]!;
}

export const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
