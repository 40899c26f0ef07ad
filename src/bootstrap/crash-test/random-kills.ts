import { spawn } from 'node:child_process';
import { type Proof } from '../demo/proof';
import { commandLine } from '../processes/supervise';
import { Interrupted } from './crash-run';
import { failureOf, problemsOf, type Trial } from './trial';

const RECORDS = 4_000;
const SANDBOX = 'sandbox';

type Told = Proof & { readonly proved: boolean };

/** `datapump demo --chaos`: thousands of records under faults, any process killed at any time, the sandbox too. */
export const randomKills: Trial = {
  name: 'random-kills',
  turn: 1,
  async run({ folder, seed, signal }) {
    const words = ['demo', '--chaos', '--records', String(RECORDS), '--seed', String(seed), '--data', folder, '--json'];
    const child = spawn(process.execPath, [commandLine(), ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = (): void => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop);
    let output = '';
    let errors = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    const code = await new Promise<number | null>((ended) => child.once('close', ended));
    signal.removeEventListener('abort', stop);
    if (signal.aborted) throw new Interrupted();
    if (output === '') throw new Error(`the demo ended with exit code ${code}: ${errors.trim()}`);
    const proof = JSON.parse(output) as Told;
    const killed = proof.kills.filter(({ cause }) => cause === 'chaos');
    const ofOurs = killed.filter(({ process: name }) => name !== SANDBOX).length;
    const { records, lost, doubled, doubts } = proof;
    const problems = [
      ...(ofOurs === 0 ? ['nothing was killed'] : []),
      ...problemsOf(proof),
      ...(proof.proved ? [] : ['the demo does not call it proved']),
    ];
    return {
      kills: ofOurs,
      restarts: ofOurs,
      records,
      lost,
      doubled,
      doubts,
      note: `and the sandbox ${killed.length - ofOurs} times; seed ${seed}`,
      failure: failureOf(problems),
    };
  },
};
