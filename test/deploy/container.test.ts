import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { DATA_TYPES } from '../../src/domain/biller/data-type';
import { CHILD_NODE_FLAGS } from '../../src/bootstrap/processes/supervise';
import { ROOT } from '../architecture/source-files';
import { demandBuilt } from '../support/command-line';
import { until, WHOLE_RUN_MS } from '../support/until';
import { freePort } from './pods';

jest.setTimeout(WHOLE_RUN_MS);

const DOCKERFILE = readFileSync(join(ROOT, 'deploy/container/Dockerfile'), 'utf8');
const POD = readFileSync(join(ROOT, 'deploy/kubernetes/base/pod.yaml'), 'utf8');

/** Instructions without comments, each in one line. */
const instructionsOf = (dockerfile: string): readonly string[] =>
  dockerfile
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean);

function dockerfileProblems(dockerfile: string): readonly string[] {
  const instructions = instructionsOf(dockerfile);
  const last = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM')));
  const stages = instructions.flatMap((line) => /^FROM \S+ AS (\S+)/.exec(line)?.[1] ?? []);
  const entry = last.find((line) => line.startsWith('ENTRYPOINT'))?.replace('ENTRYPOINT ', '') ?? '[]';
  const user = last.find((line) => line.startsWith('USER'))?.replace('USER ', '');
  const demand = (problem: string, holds: boolean): readonly string[] => (holds ? [] : [problem]);
  return [
    ...instructions
      .flatMap((line) => /^FROM (\S+)/.exec(line)?.[1] ?? [])
      .filter((base) => base !== '${NODE_IMAGE}' && !stages.includes(base))
      .map((base) => `${base}: a base that nobody has to name by digest`),
    ...demand('NODE_IMAGE has a default', instructions.filter((line) => line === 'ARG NODE_IMAGE').length === 2),
    ...demand(
      'the digest is not looked at',
      instructions.some((line) => line.startsWith('RUN case "$NODE_IMAGE"')),
    ),
    ...demand('runs as root', /^[1-9]\d*:[1-9]\d*$/.test(user ?? '')),
    ...demand('another user than the manifests’', POD.includes(`runAsUser: ${user?.split(':')[0]}\n`)),
    ...demand('no init for signals', entry.startsWith('["/usr/bin/tini", "--", "node"')),
    ...demand(
      'not the heap of the supervisor’s processes',
      CHILD_NODE_FLAGS.every((flag) => entry.includes(`"${flag}"`)),
    ),
    ...demand(
      'dependencies of development',
      instructions.some((line) => line.includes('npm ci --omit=dev')),
    ),
    ...demand(
      'its parts of proof',
      instructions.some((line) => line.includes('trim.sh /app')),
    ),
    ...last.filter((line) => /^(ADD|COPY (?!--from))/.test(line)).map((line) => `${line}: past the stages`),
  ];
}

it('the Dockerfile keeps to its rules', () => {
  expect(dockerfileProblems(DOCKERFILE)).toEqual([]);
});

it.each<[string, string, string]>([
  ['a base by tag', 'FROM checked AS init', 'FROM debian:12 AS init'],
  ['a default', 'ARG NODE_IMAGE\n', 'ARG NODE_IMAGE=node:24\n'],
  ['root', 'USER 10001:10001', 'USER root'],
  ['another user', 'USER 10001:10001', 'USER 1000:1000'],
  ['no init', '"/usr/bin/tini", "--", ', ''],
  ['another heap', '"--max-semi-space-size=32", ', ''],
  ['dependencies of development', 'npm ci --omit=dev', 'npm ci'],
  ['the whole folder', 'ENV NODE_ENV', 'COPY . /app\nENV NODE_ENV'],
])('the rules see %s', (_, from, to) => {
  expect(DOCKERFILE).toContain(from);
  expect(dockerfileProblems(DOCKERFILE.replace(from, to))).not.toEqual([]);
});

it('what the image is made of may be sent to the builder', () => {
  const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
  const sent = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const copied = instructionsOf(DOCKERFILE)
    .filter((line) => /^COPY (?!--from)/.test(line))
    .flatMap((line) => line.split(' ').slice(1, -1));
  expect(ignored).toContain('*');
  expect([...new Set(copied)].sort()).toEqual([...sent].sort());
});

it.each([
  ['no base', {}],
  ['a base by tag', { NODE_IMAGE: 'docker.io/library/node:24-bookworm-slim' }],
])('the build refuses %s, and says how a digest is found', (_, environment) => {
  const run = spawnSync(join(ROOT, 'deploy/container/build.sh'), ['datapump:test'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...environment },
  });
  expect(run.status).toBe(2);
  expect(run.stderr).toMatch(/NODE_IMAGE: found '.*', expected the base by digest[^]*imagetools inspect/);
});

describe('the bill of materials', () => {
  interface Bill {
    readonly bill: { readonly metadata: { readonly component: object }; readonly components: readonly object[] };
    readonly licences: readonly { readonly name: string; readonly version: string; readonly licence: string }[];
    readonly problems: readonly string[];
  }
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- a script that runs where nothing is built
  const script = require('../../deploy/container/bill-of-materials.cjs') as {
    billOfMaterials: () => Bill;
    licenceProblems: (licences: Bill['licences']) => readonly string[];
  };
  const { bill, licences, problems } = script.billOfMaterials();

  it('names every production package of the lock file with its licence, and no other', () => {
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string; dev?: boolean }>;
    };
    const expected = Object.entries(lock.packages)
      .filter(([path, { dev }]) => path !== '' && dev !== true)
      .map(([path, { version }]) => `${path.split('node_modules/').at(-1)} ${version}`);
    expect(licences.map(({ name, version }) => `${name} ${version}`).sort()).toEqual([...new Set(expected)].sort());
    expect(bill.components).toHaveLength(licences.length);
    expect(bill.metadata.component).toMatchObject({ name: 'datapump', type: 'application' });
    expect(problems).toEqual([]);
  });

  it('tells of a licence that nobody looked at, and of none', () => {
    expect(
      script.licenceProblems([
        { name: 'a', version: '1.0.0', licence: 'AGPL-3.0' },
        { name: 'b', version: '1.0.0', licence: '' },
        { name: 'c', version: '1.0.0', licence: 'MIT' },
      ]),
    ).toEqual([expect.stringContaining('a 1.0.0: AGPL-3.0'), expect.stringContaining('b 1.0.0: no licence')]);
  });
});

/** The image's content without an image: what is built, with production dependencies alone, trimmed as the image is. */
function assemble(folder: string): void {
  demandBuilt();
  const listed = spawnSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: ROOT, encoding: 'utf8' });
  const packages = new Set(
    listed.stdout
      .split('\n')
      .map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(relative(ROOT, path))?.[1])
      .filter((name) => name !== undefined),
  );
  expect(packages.size).toBeGreaterThan(100);
  expect(packages).not.toContain('jest');
  for (const name of packages) {
    const target = join(folder, 'node_modules', name);
    mkdirSync(dirname(target), { recursive: true });
    // Links: taking one away leaves the other.
    spawnSync('cp', ['-al', join(ROOT, 'node_modules', name), target]);
  }
  for (const part of ['dist', 'contracts', 'package.json'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  const trimmed = spawnSync('sh', [join(ROOT, 'deploy/container/trim.sh'), folder], { encoding: 'utf8' });
  expect(trimmed.stderr).toBe('');
}

describe('what the image holds, on this machine', () => {
  // Beside node_modules: links reach no other file system.
  let folder: string;
  let data: string;
  let main: string;
  beforeAll(() => {
    folder = mkdtempSync(join(ROOT, '.datapump-container-'));
    data = mkdtempSync(join(tmpdir(), 'datapump-container-data-'));
    main = join(folder, 'dist/bootstrap/command-line.main.js');
    mkdirSync(join(data, 'billers'));
    assemble(folder);
    const size = spawnSync('du', ['-sm', folder], { encoding: 'utf8' }).stdout.split('\t')[0];
    console.info(`application with production dependencies: ${size} MB`);
  });
  afterAll(() => {
    for (const one of [folder, data]) rmSync(one, { recursive: true, force: true });
  });

  it.each([
    'run scanner',
    'run fetcher',
    ...DATA_TYPES.map((dataType) => `run consumer --type ${dataType.toLowerCase()}`),
  ])('%s starts, is ready, and ends at once when it is told to', async (words) => {
    const port = await freePort();
    const began = performance.now();
    const child = spawn(process.execPath, [...CHILD_NODE_FLAGS, main, ...words.split(' ')], {
      cwd: data,
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        Shards__Names: 'Shard-1',
        Data__Folder: join(data, 'data'),
        Billers__Folder: join(data, 'billers'),
        Health__Port: String(port),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    try {
      await until('it is ready', async () => {
        if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
        const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
        return answer?.status === 200;
      });
      console.info(`${words} was ready after ${Math.round(performance.now() - began)} ms`);
    } finally {
      child.kill('SIGTERM');
    }
    expect(await ended).toBe(0);
  });

  it.each(['migrate --check', 'topology --check', 'status'])('%s has all that it needs', (words) => {
    const run = spawnSync(process.execPath, [main, ...words.split(' '), '--json'], {
      cwd: data,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], Data__Folder: join(data, 'data'), Shards__Names: 'Shard-1' },
    });
    expect(run.stderr).not.toContain('Cannot find module');
    expect([0, 2]).toContain(run.status);
  });
});

const base = process.env['DATAPUMP_TEST_NODE_IMAGE'];
const buildah = spawnSync('buildah', ['--version'], { encoding: 'utf8' }).status === 0;
if (base === undefined || !buildah) {
  it.skip('the image is built and started (not run: DATAPUMP_TEST_NODE_IMAGE names no base in the store of a buildah on this machine)', () =>
    undefined);
} else {
  it('the image is built and started', () => {
    const options = process.env['DATAPUMP_TEST_BUILDAH_OPTIONS'] ?? '--isolation chroot --format docker --pull-never';
    const built = spawnSync(join(ROOT, 'deploy/container/build.sh'), ['localhost/datapump:test'], {
      encoding: 'utf8',
      env: { ...process.env, NODE_IMAGE: base, BUILDER: 'buildah', BUILDER_OPTIONS: options },
    });
    expect(`${built.stdout}${built.stderr}`).toContain('built in');
    const storage = /--storage-driver \S+/.exec(options)?.[0].split(' ') ?? [];
    const from = spawnSync('buildah', [...storage, 'from', '--pull-never', 'localhost/datapump:test'], {
      encoding: 'utf8',
    });
    const container = from.stdout.trim();
    const words = ['run', '--isolation', 'chroot', container, '--', 'datapump', '--version'];
    const run = spawnSync('buildah', [...storage, ...words], { encoding: 'utf8' });
    spawnSync('buildah', [...storage, 'rm', container]);
    expect(run.stdout).toMatch(/^datapump \d+\.\d+\.\d+.*, Node \d+/);
  });
}
