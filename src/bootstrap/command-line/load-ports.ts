import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteShard } from '../../adapters/sqlite/sqlite-shard';
import { sha256Digest } from '../../adapters/system/sha256-digest';
import { type LoadPorts } from '../../application/operating/load-payments';
import { type Shards } from '../../application/ports/shard';
import { shardName } from '../../domain/identifiers';
import { type Settings } from '../configuration/declarations';
import { shardNames } from '../container/embedded-files';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions, settingsOf } from './command-context';
import { asOperator } from './operator-context';

/** Runs a load against the shards named; a dry run in a folder without shards runs against none, and makes none. */
export async function loadPorts<Result>(
  options: GlobalOptions & { readonly dryRun?: boolean },
  names: readonly string[],
  work: (ports: LoadPorts) => Promise<Result>,
): Promise<Result> {
  if (!options.dryRun) return withShards(options, names, work);
  const folder = mkdtempSync(join(tmpdir(), 'datapump-dry-run-'));
  const scratch = new SqliteShard({ name: shardName('dry-run'), path: join(folder, 'scratch.sqlite') });
  try {
    const withScratch = (ports: LoadPorts): Promise<Result> => work({ ...ports, scratch });
    return await (nothingStands(options)
      ? withScratch({ shards: NO_SHARDS, digest: sha256Digest })
      : withShards(options, names, withScratch));
  } finally {
    await scratch.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const NO_SHARDS: Shards = {
  all: () => [],
  named: (name) => {
    throw new Error(`there is no shard ${name} in a dry run without shards`);
  },
  ofBiller: async () => undefined,
};

function nothingStands(options: GlobalOptions): boolean {
  const settings = settingsOf(options);
  return (
    settings['Stack:Shards'] === 'sqlite' && (!existsSync(settings['Data:Folder']) || shardNames(settings).length === 0)
  );
}

const withShards = <Result>(
  options: GlobalOptions,
  names: readonly string[],
  work: (ports: LoadPorts) => Promise<Result>,
): Promise<Result> =>
  asOperator(
    options,
    ({ container }) => work({ shards: container.get(TOKENS.shards), digest: container.get(TOKENS.digest) }),
    { settings: { 'Shards:Names': names } satisfies Partial<Settings>, mayCreate: true },
  );
