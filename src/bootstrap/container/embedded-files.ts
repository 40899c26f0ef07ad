import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { demandPrivate, makePrivateFolder } from '../../adapters/system/private-folder';
import { isId, shardName, type ShardName } from '../../domain/identifiers';
import { type Settings } from '../configuration/declarations';

/** Where the embedded stack keeps its files below Data:Folder: one file per shard and per port. */
export function embeddedFiles(settings: Settings) {
  const folder = settings['Data:Folder'];
  return {
    folder,
    shards: join(folder, 'shards'),
    eventStore: join(folder, 'event-store.sqlite'),
    seals: join(folder, 'seals'),
    bus: join(folder, 'bus.sqlite'),
    allowance: join(folder, 'allowance.sqlite'),
    projection: join(folder, 'record-projection.sqlite'),
    failures: join(folder, 'failure-projection.sqlite'),
    answerSnippets: join(folder, 'answer-snippets.sqlite'),
    witness: join(folder, 'history', 'witness.sqlite'),
  };
}

const SHARD_FILE = /^(?<name>.+)\.sqlite$/u;

/** The shards named by setting, else all of the registry, or every shard whose file lies there. */
export function shardNames(settings: Settings): readonly ShardName[] {
  const named = settings['Shards:Names'];
  if (named.length > 0) return named as readonly ShardName[];
  if (settings['Stack:Shards'] === 'sql-server') return Object.keys(settings['Shards:Registry']).map(shardName);
  const { shards } = embeddedFiles(settings);
  if (!existsSync(shards)) return [];
  return readdirSync(shards)
    .flatMap((file) => SHARD_FILE.exec(file)?.groups?.['name'] ?? [])
    .filter(isId)
    .sort() as unknown as readonly ShardName[];
}

/** Makes what is missing; a folder that others may use is refused before a file in it is opened. */
export function makeEmbeddedFolders(settings: Settings): void {
  const { folder, shards } = embeddedFiles(settings);
  if (existsSync(folder)) demandPrivate(folder);
  makePrivateFolder(shards);
}
