import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const PROGRAM = join(__dirname, '../support/blocked-loop.cjs');
const BUILT = join(__dirname, '../../dist/bootstrap/processes/watchdog.js');

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

describe('a process whose event loop stands still is ended, so that it can be started again (issue 8, no 7)', () => {
  let child: ChildProcess;
  beforeAll(() => {
    if (!existsSync(BUILT)) throw new Error('dist/ is missing: run npm run build first');
  });
  afterEach(() => child.kill('SIGKILL'));

  const run = (how: string, milliseconds: number, onBlocking?: (pid: number) => void): Promise<Ended> => {
    child = spawn(process.execPath, [PROGRAM, how, String(milliseconds)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (text.includes('blocking')) onBlocking?.(child.pid!);
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text));
    return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, output, errors })));
  };

  it('one that calculates for too long, naming itself', async () => {
    const ended = await run('calculates', 15_000);
    expect(ended).toMatchObject({ signal: 'SIGKILL', output: 'blocking\n' });
    expect(ended.errors).toMatch(
      /^datapump: the event loop of blocked-loop has stood still for \d+ s, calculating; killing/,
    );
  });

  it('one that waits for ever', async () => {
    const ended = await run('waits', 15_000);
    expect(ended).toMatchObject({ signal: 'SIGKILL' });
    expect(ended.errors).toMatch(/stood still for \d+ s, waiting; killing/);
  });

  it.each([
    ['one that calculates for less', 'calculates', 400],
    ['one that waits for a disk for longer than it may calculate', 'waits', 2_000],
    ['one that has nothing to do', 'sleeps', 3_000],
  ])('not %s', async (_name, how, milliseconds) => {
    expect(await run(how, milliseconds)).toEqual({ code: 0, signal: null, output: 'blocking\nalive\n', errors: '' });
  });

  it('not one that was suspended for longer than any limit', async () => {
    const ended = await run('sleeps', 500, (pid) => {
      process.kill(pid, 'SIGSTOP');
      setTimeout(() => process.kill(pid, 'SIGCONT'), 6_000);
    });
    expect(ended).toEqual({ code: 0, signal: null, output: 'blocking\nalive\n', errors: '' });
  });
});
