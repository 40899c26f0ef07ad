import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { causeChain } from '../../application/ports/failures';
import { eachBounded } from '../../application/scanning/scan-shards';
import { Interrupted } from './crash-run';
import { NOTHING_SHOWN, type Trial, type TrialOutcome } from './trial';

export interface TrialResult extends TrialOutcome {
  readonly name: string;
  readonly turn: number;
  readonly seconds: number;
  /** Of a trial that failed: kept for a look at it. */
  readonly folder: string;
}

export interface TrialsOptions {
  readonly atOnce: number;
  readonly seed: number;
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly onResult: (result: TrialResult) => void;
}

/** Runs them side by side, each in a folder of its own, removed where all is well. Interrupted ones have no result. */
export async function runTrials(trials: readonly Trial[], options: TrialsOptions): Promise<readonly TrialResult[]> {
  const results: TrialResult[] = [];
  await eachBounded(trials, options.atOnce, async (trial) => {
    if (options.signal.aborted) return;
    const result = await runOne(trial, options);
    if (result?.failure === undefined) rmSync(folderOf(trial, options), { recursive: true, force: true });
    if (result === undefined) return;
    results.push(result);
    options.onResult(result);
  });
  return results;
}

async function runOne(trial: Trial, options: TrialsOptions): Promise<TrialResult | undefined> {
  const { seed, signal } = options;
  const folder = folderOf(trial, options);
  const began = performance.now();
  const outcome = await trial
    .run({ folder, seed, signal })
    .catch((error: unknown): TrialOutcome | undefined =>
      error instanceof Interrupted || signal.aborted ? undefined : { ...NOTHING_SHOWN, failure: causeChain(error) },
    );
  const { name, turn } = trial;
  return outcome && { ...outcome, name, turn, seconds: Math.round((performance.now() - began) / 100) / 10, folder };
}

const folderOf = ({ name, turn }: Trial, { folder }: TrialsOptions): string =>
  join(folder, `${name.replace('@', '-')}-${turn}`);
