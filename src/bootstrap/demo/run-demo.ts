import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Lines, printer } from '../../adapters/command-line/printer';
import { startProgress } from '../../adapters/command-line/progress';
import { LedgerBooks } from '../../adapters/sandbox-biller/ledger-books';
import { SqliteRecordProjection } from '../../adapters/sqlite/sqlite-record-projection';
import { SystemClock } from '../../adapters/system/system-clock';
import { type Shard } from '../../application/ports/shard';
import { type Container } from 'inversify';
import { settingsWithSecrets } from '../command-line/command-context';
import { EXIT, UsageProblems } from '../command-line/problems';
import { loadSettings } from '../configuration/load-settings';
import { problemLine } from '../configuration/setting-problem';
import { createContainer } from '../container/create-container';
import { TOKENS } from '../container/tokens';
import { historyProblems, whileHistoryHolds } from '../processes/watch-history';
import { type DemoChoices, type DemoFiles, demoFiles, type DemoPlan, demoSettings } from './demo-plan';
import { openDemo, type OpenedDemo, openFinishedDemo, phaseOf, setPhase } from './open-demo';
import { lookLines, programWords } from './look-lines';
import { patientReads } from './patient-reads';
import { MemoryPeaks } from './process-table';
import { isProved, type Proof } from './proof';
import { type DemoMeasures, proofLines } from './proof-text';
import { proveDemo } from './prove-demo';
import { runWork } from './run-work';
import { seedDemo, type SeededShard, writeDemoFiles } from './seed-demo';

export interface DemoOrder {
  readonly choices: DemoChoices;
  readonly folder: string;
  readonly resume: boolean;
  readonly fresh: boolean;
  readonly proveOnly: boolean;
  readonly json: boolean;
  /** 0: none. */
  readonly healthPort: number;
  readonly signal: AbortSignal;
}

/** Seeds, runs and proves; the exit code. */
export async function runDemo(order: DemoOrder): Promise<number> {
  const files = demoFiles(resolve(order.folder));
  const demo = order.proveOnly
    ? openFinishedDemo(files)
    : await openDemo({ ...order, files, clock: new SystemClock() });
  try {
    return await seedRunProve(order, files, demo);
  } finally {
    demo.manifest.close();
  }
}

async function seedRunProve(order: DemoOrder, files: DemoFiles, { manifest, plan }: OpenedDemo): Promise<number> {
  const { signal, proveOnly, healthPort } = order;
  const memory = new MemoryPeaks();
  const seeding = !proveOnly && phaseOf(manifest) === 'seeding';
  if (seeding) writeDemoFiles(plan, files);
  const container = createContainer(await settingsWithSecrets(settingsOf(files, plan)), 'demo');
  try {
    if (seeding) {
      const progress = startProgress({ label: 'seeding', total: plan.records });
      const shards = container.get(TOKENS.shards).all() as readonly (Shard & SeededShard)[];
      await seedDemo(plan, manifest, shards, (records) => progress.update(records), signal);
      progress.finish();
      if (signal.aborted) return interrupted();
      setPhase(manifest, 'running');
    }
    let seconds: number | undefined;
    if (!proveOnly && phaseOf(manifest) === 'running') {
      const lost = historyProblems(container.get(TOKENS.settings), await container.get(TOKENS.historyGuard).look());
      if (lost.length > 0) throw new UsageProblems(lost);
      const work = await whileHistoryHolds(container, signal, (working) =>
        runWork({ plan, files, manifest, container, memory, healthPort, signal: working }),
      );
      if (!work.drained) {
        if (signal.aborted) return interrupted();
        printer.complain([`datapump: the demo did not come to its end: ${work.why}`]);
        return EXIT.failed;
      }
      seconds = work.seconds;
      manifest.forgetChildren();
      setPhase(manifest, 'drained');
    }
    const proof = await prove(files, plan, { manifest, plan }, container);
    memory.sample(new Map([['demo', process.pid]]));
    const [first] = manifest.records(undefined, 1);
    const look = lookLines(programWords(process.env, process.argv[1]!), files.configuration, first?.record);
    tell(order, plan, proof, { seconds, peakMebibytes: memory.mebibytes() }, look);
    return isProved(proof) ? EXIT.done : EXIT.failed;
  } finally {
    await container.get(TOKENS.lifecycle).close();
  }
}

async function prove(files: DemoFiles, plan: DemoPlan, { manifest }: OpenedDemo, container: Container): Promise<Proof> {
  // Folded anew: a projection that was kept up during the run would not notice what was changed behind it.
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${files.proofProjection}${suffix}`, { force: true });
  const projection = new SqliteRecordProjection({ path: files.proofProjection });
  const books = new LedgerBooks(files.ledger);
  const progress = startProgress({ label: 'proving', total: plan.records });
  try {
    return await proveDemo(
      {
        manifest,
        shards: container.get(TOKENS.shards),
        eventStore: patientReads(container.get(TOKENS.eventStore), container.get(TOKENS.clock)),
        projection,
        books,
      },
      (records) => progress.update(records),
    );
  } finally {
    progress.finish();
    books.close();
    projection.close();
  }
}

function tell({ json }: DemoOrder, plan: DemoPlan, proof: Proof, measures: DemoMeasures, look: Lines): void {
  if (json) {
    const recordsPerSecond = measures.seconds === undefined ? undefined : Math.round(proof.records / measures.seconds);
    printer.printJson({ plan, proved: isProved(proof), ...proof, ...measures, recordsPerSecond });
    return;
  }
  printer.print([...proofLines(plan, proof, measures), ...look]);
}

function interrupted(): number {
  printer.complain(['datapump: interrupted; continue with --resume, or start over with --fresh']);
  return EXIT.failed;
}

function settingsOf(files: DemoFiles, plan: DemoPlan) {
  const loaded = loadSettings({
    environment: {},
    file: files.configuration,
    overrides: demoSettings(files, plan),
  });
  if ('problems' in loaded) throw new UsageProblems(loaded.problems.map(problemLine));
  return loaded.settings;
}
