import { ContainerModule } from 'inversify';
import { FileSealWitness } from '../../adapters/seal-file/file-seal-witness';
import { type Settings } from '../configuration/declarations';
import { embeddedFiles } from './embedded-files';
import { TOKENS } from './tokens';

/** Where the copies of the seals lie as files; undefined: nowhere. */
function sealFolderOf(settings: Settings): string | undefined {
  if (settings['Seal:Folder'] !== '') return settings['Seal:Folder'];
  return settings['Stack:EventStore'] === 'sqlite' ? embeddedFiles(settings).seals : undefined;
}

/** Copies of the seals as files of this machine, on every stack. */
export const sealFileModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.sealWitnesses).toDynamicValue(({ get }) => {
    const folder = sealFolderOf(get(TOKENS.settings));
    return () => (folder === undefined ? [] : [new FileSealWitness(folder)]);
  });
});
