import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { WHOLE_RUN_MS } from '../support/until';

const ROOT = resolve(__dirname, '../..');
const CONFIG = '.dependency-cruiser.cjs';

interface Cruise {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly {
      readonly rule: { readonly name: string; readonly severity: string };
      readonly from: string;
    }[];
  };
}

function cruise(folder: string): Cruise {
  const program = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const run = spawnSync(process.execPath, [program, 'src', '--config', CONFIG, '--output-type', 'json'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: WHOLE_RUN_MS / 2,
  });
  if (run.stdout === '') throw new Error(`dependency-cruiser said nothing: ${run.stderr}`);
  return JSON.parse(run.stdout) as Cruise;
}

/** Files that keep the rules, for the breaking files to import, and to show that the rules leave what is right alone. */
const KEEPING: Readonly<Record<string, string>> = {
  'src/domain/money.ts': 'export type Money = number;',
  'src/domain/policies/amount.ts': "import { type Money } from '../money';\nexport type Amount = Money;",
  'src/application/ports/clock.ts': "import { type Money } from '../../domain/money';\nexport type Clock = Money;",
  'src/adapters/shared/lines.ts': 'export const lines = 1;',
  'src/adapters/redis/cache.ts':
    "import { lines } from '../shared/lines';\nimport { type Clock } from '../../application/ports/clock';\nimport axios from 'axios';\nexport const cache: Clock = lines;\nexport { axios };",
  'src/bootstrap/container.ts':
    "import { Container } from 'inversify';\nimport { cache } from '../adapters/redis/cache';\nexport const container = [new Container(), cache];",
  'test/support/builders.ts': 'export const built = 1;',
};

/** The other halves of the circles: the tool reports a circle once, at whichever file it met first. */
const OTHER_HALF: Readonly<Record<string, string>> = {
  'src/bootstrap/one.ts': 'src/bootstrap/two.ts',
  'src/domain/here.ts': 'src/domain/there.ts',
};
const OTHER_HALVES: Readonly<Record<string, string>> = {
  'src/bootstrap/two.ts': "import { one } from './one';\nexport const two: number = one;",
  'src/domain/there.ts': "import { type Here } from './here';\nexport type There = Here[];",
};

/** One or more files per rule, each of which breaks that rule and no other. */
const BREAKING: readonly { readonly rule: string; readonly path: string; readonly text: string }[] = [
  {
    rule: 'domain-imports-nothing',
    path: 'src/domain/uses-node.ts',
    text: "import { createHash } from 'node:crypto';\nexport { createHash };",
  },
  {
    rule: 'domain-imports-nothing',
    path: 'src/domain/uses-package.ts',
    text: "import axios from 'axios';\nexport { axios };",
  },
  {
    rule: 'domain-imports-nothing',
    path: 'src/domain/uses-application-type.ts',
    text: "import { type Clock } from '../application/ports/clock';\nexport type X = Clock;",
  },
  {
    rule: 'application-imports-domain-alone',
    path: 'src/application/uses-node.ts',
    text: "import { readFileSync } from 'node:fs';\nexport { readFileSync };",
  },
  {
    rule: 'application-imports-domain-alone',
    path: 'src/application/uses-package.ts',
    text: "import axios from 'axios';\nexport { axios };",
  },
  {
    rule: 'application-imports-domain-alone',
    path: 'src/application/uses-adapter.ts',
    text: "import { cache } from '../adapters/redis/cache';\nexport { cache };",
  },
  {
    rule: 'adapter-knows-no-other-adapter',
    path: 'src/adapters/sqlite/uses-other.ts',
    text: "import { cache } from '../redis/cache';\nexport { cache };",
  },
  {
    rule: 'nothing-imports-bootstrap',
    path: 'src/adapters/redis/uses-bootstrap.ts',
    text: "import { container } from '../../bootstrap/container';\nexport { container };",
  },
  {
    rule: 'inversify-in-bootstrap-alone',
    path: 'src/adapters/redis/uses-inversify.ts',
    text: "import { injectable } from 'inversify';\nexport { injectable };",
  },
  {
    rule: 'source-imports-no-test',
    path: 'src/bootstrap/uses-test.ts',
    text: "import { built } from '../../test/support/builders';\nexport { built };",
  },
  {
    rule: 'no-circle',
    path: 'src/bootstrap/one.ts',
    text: "import { two } from './two';\nexport const one: number = two;",
  },
  {
    rule: 'no-circle',
    path: 'src/domain/here.ts',
    text: "import { type There } from './there';\nexport type Here = There[];",
  },
  {
    rule: 'everything-imported-exists',
    path: 'src/bootstrap/uses-nothing.ts',
    text: "import { x } from './no-such-file';\nexport { x };",
  },
  {
    rule: 'source-needs-no-development-package',
    path: 'src/bootstrap/uses-fast-check.ts',
    text: "import fc from 'fast-check';\nexport { fc };",
  },
];

describe('the dependency rules', () => {
  let folder: string;
  let found: readonly string[];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dependency-rules-'));
    for (const name of [CONFIG, 'tsconfig.json', 'package.json']) copyFileSync(join(ROOT, name), join(folder, name));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const files = {
      ...KEEPING,
      ...OTHER_HALVES,
      ...Object.fromEntries(BREAKING.map(({ path, text }) => [path, text])),
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    found = cruise(folder).summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
  }, WHOLE_RUN_MS);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(BREAKING)('$rule is broken by $path', ({ rule, path }) => {
    const places = [path, OTHER_HALF[path] ?? path];
    const broken = found.filter((line) => places.some((place) => line.endsWith(`: ${place}`)));
    expect([...new Set(broken.map((line) => line.split(': ')[0]))]).toEqual([rule]);
  });

  it('leave files that keep them alone', () => {
    expect(found.filter((line) => Object.keys(KEEPING).some((path) => line.endsWith(`: ${path}`)))).toEqual([]);
  });

  it('are each proved by a breaking file', () => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the configuration is a CommonJS file for the tool
    const { forbidden } = require(join(ROOT, CONFIG)) as { forbidden: { name: string; severity: string }[] };
    expect([...new Set(BREAKING.map(({ rule }) => rule))].sort()).toEqual(forbidden.map(({ name }) => name).sort());
    expect(forbidden.filter(({ severity }) => severity !== 'error')).toEqual([]);
  });

  // A compiler that dependency-cruiser cannot use makes it report success on zero modules.
  it(
    'hold in the sources, all of which were read',
    () => {
      const { totalCruised, violations } = cruise(ROOT).summary;
      expect(totalCruised).toBeGreaterThan(50);
      expect(violations.map(({ rule, from }) => `${rule.name}: ${from}`)).toEqual([]);
    },
    WHOLE_RUN_MS,
  );
});
