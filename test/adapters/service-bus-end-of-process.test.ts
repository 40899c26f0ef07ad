import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { TROUBLES } from '../support/wire-peers/closed-bus.main';

const PROGRAM = resolve(__dirname, '../support/wire-peers/closed-bus.main.ts');
/** What the SDK left alive has held a process for a second, a minute or for ever. */
const END_MS = 800;
const KILLED_AFTER_MS = 40_000;

describe('a process that has closed its bus ends by itself', () => {
  it.concurrent.each(TROUBLES)(
    'after %s',
    async (trouble) => {
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', PROGRAM, trouble], {
        timeout: KILLED_AFTER_MS,
      });
      expect(stdout).toMatch(/^\d/);
      expect(Number(stdout)).toBeLessThan(END_MS);
    },
    KILLED_AFTER_MS + 10_000,
  );
});
