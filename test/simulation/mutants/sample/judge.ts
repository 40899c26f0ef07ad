import { readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type JobResult, type SeedJob } from '../../job';
import { BrokenJob, runJobs } from '../../pool';
import { type Build } from '../hunt';
import { PatchCompiler } from '../patch-compiler';
import { failureOf } from '../suites';
import { type Drawn, type Part, partOf } from './draw';
import { applied } from './mutations';

/** What finds a defect of a part: test files whose path holds one of these, and where they can reach it, seeds. */
const SUITES: Readonly<Record<Part, { readonly tests: readonly string[]; readonly seeds?: 'memory' | 'sqlite' }>> = {
  'src/domain': { tests: ['test/domain/'], seeds: 'memory' },
  'src/application': { tests: ['test/application/', 'test/domain/'], seeds: 'memory' },
  'src/adapters/biller-http': {
    tests: [
      'test/contract/biller-gateway',
      'test/adapters/(biller-http|biller-backoff|reachable-address|expression-pool|answer-bodies)',
    ],
  },
  'src/adapters/sqlite': { tests: ['test/contract/.*sqlite', 'test/adapters/sqlite'], seeds: 'sqlite' },
  'src/adapters/event-store-db': {
    tests: ['test/contract/event-(store|log)\\.event-store-db', 'test/adapters/event-store-db'],
  },
  'src/adapters/service-bus': { tests: ['test/contract/message-bus\\.service', 'test/adapters/service-bus'] },
  'src/adapters/sql-server': { tests: ['test/contract/.*\\.sql-server-on', 'test/adapters/sql-server'] },
  // Its contract suites run where a Redis answers.
  'src/adapters/redis': { tests: ['test/contract/.*\\.redis', 'test/adapters/redis'] },
  'src/adapters/messages': { tests: ['test/adapters/messages/', 'test/architecture/message-contracts'] },
  'src/adapters/biller-profiles': {
    tests: ['test/contract/biller-profiles', 'test/adapters/(biller-profile|plain-expression|card-data-inputs)'],
  },
  'src/adapters/shared': {
    tests: [
      'test/adapters/(masked-snippet|secret-in-use|biller-profile|damage|path-template|plain-expression|reachable-address|seal-copies|shard-registry|sqlite-(driver|file|shard))',
      'test/adapters/(messages/|sql-server-pure)',
      'test/contract/(seal-witness|shard\\.sqlite)',
      'test/domain/identifiers',
    ],
  },
};

/** Than on the sound program. */
const SLOWER_MAX = 2;
const SLACK_MS = 30_000;
const SEEDS_MAX = 60;
const SEED_LIMIT_MS = 60_000;

export type Judgement =
  { readonly found: 'types' | 'tests' | 'seeds'; readonly by: string } | { readonly found: 'not' };

export interface Surroundings {
  readonly build: Build;
  readonly built: string;
  readonly root: string;
}

/** Types first, then the suites of the part, then seeds: the first that objects has found the defect. */
export class Judge {
  private readonly compiler: PatchCompiler;
  /** What the suites of a part may take: a loop that never ends is found by it. */
  private readonly limits = new Map<Part, number>();

  constructor(private readonly surroundings: Surroundings) {
    this.compiler = new PatchCompiler(surroundings.root);
  }

  /** The suites and seeds of a part hold where nothing is changed: else they would "find" everything. */
  async holdsWithoutDefect(part: Part): Promise<void> {
    const failed = await this.testsFail(part, undefined);
    if (failed !== undefined) throw new Error(`the suites of ${part} fail on the sound program: ${failed}`);
    const broken = await this.seedsFail(part, this.surroundings.built);
    if (broken !== undefined) throw new Error(`the seeds of ${part} fail on the sound program: ${broken}`);
  }

  async judge(drawn: Drawn, number: number): Promise<Judgement> {
    const part = partOf(drawn.file)!;
    const text = applied(readFileSync(join(this.surroundings.root, drawn.file), 'utf8'), drawn.mutation);
    const [error] = this.compiler.errorsIn(drawn.file, text);
    if (error !== undefined) return { found: 'types', by: error };
    const failed = await this.testsFail(part, drawn);
    if (failed !== undefined) return { found: 'tests', by: failed };
    if (SUITES[part].seeds === undefined) return { found: 'not' };
    const { build, built } = this.surroundings;
    const folder = build(join(basename(built), 'mutants', `sample-${number}`), new Map([[drawn.file, text]]));
    const broken = await this.seedsFail(part, folder);
    rmSync(folder, { recursive: true, force: true });
    return broken === undefined ? { found: 'not' } : { found: 'seeds', by: broken };
  }

  private async testsFail(part: Part, drawn: Drawn | undefined): Promise<string | undefined> {
    const change = drawn && { file: drawn.file, ...drawn.mutation };
    const began = performance.now();
    const failed = await failureOf(this.surroundings.root, SUITES[part].tests, change, this.limits.get(part));
    const tookMs = performance.now() - began;
    if (drawn === undefined) this.limits.set(part, tookMs * SLOWER_MAX + SLACK_MS);
    return failed;
  }

  private async seedsFail(part: Part, folder: string): Promise<string | undefined> {
    const { seeds } = SUITES[part];
    if (seeds === undefined) return undefined;
    let broken: string | undefined;
    const jobs: readonly SeedJob[] = Array.from({ length: SEEDS_MAX }, (_, index) => ({
      seed: index + 1,
      sqlite: seeds === 'sqlite',
    }));
    const onResult = ({ job, violations }: JobResult): void => {
      if (violations.length > 0) broken = `seed ${job.seed}: ${violations[0]}`;
    };
    try {
      await runJobs(folder, jobs, { workers: 1, onResult, enough: () => broken !== undefined, limitMs: SEED_LIMIT_MS });
    } catch (error) {
      // A defect may also end in an error that nobody takes, or in a loop: that shows as well.
      if (!(error instanceof BrokenJob)) throw error;
      broken = error.message;
    }
    return broken;
  }
}
