import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileSealWitness } from '../../src/adapters/seal-file/file-seal-witness';
import { sealWitnessContract } from './seal-witness.contract';

sealWitnessContract('file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-seal-file-'));
  const open = () => new FileSealWitness(join(folder, 'seals'));
  return { witness: open(), another: async () => open(), close: async () => rmSync(folder, { recursive: true }) };
});
