// Writes sbom.cdx.json (CycloneDX, by npm) and licences.csv of the production dependencies into a folder. Ends with exit code 1
// where a package has no licence, or one that was not looked at.
const { execFileSync } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');

const ROOT = resolve(__dirname, '../..');
const BYTES_MAX = 64 * 1024 * 1024;
/** Licences that ask for no more than to be named with the program. */
const LOOKED_AT = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
  // Weak: what is changed in the package itself must be published. Nothing is.
  'MPL-2.0',
  '(MIT OR WTFPL)',
  '(BSD-3-Clause AND Apache-2.0)',
  '(BSD-2-Clause OR MIT OR Apache-2.0)',
]);

/** @returns {{ bill: object, licences: readonly { name: string, version: string, licence: string }[], problems: readonly string[] }} */
function billOfMaterials(root = ROOT) {
  const { devDependencies, ...manifest } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  delete lock.packages[''].devDependencies;
  for (const [path, { dev }] of Object.entries(lock.packages)) if (dev) delete lock.packages[path];
  // npm's own --omit=dev leaves out what production and development both need, so it is shown production alone.
  const folder = mkdtempSync(join(tmpdir(), 'datapump-bill-'));
  let bill;
  try {
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock));
    const words = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
    const options = { cwd: folder, encoding: 'utf8', maxBuffer: BYTES_MAX, stdio: ['ignore', 'pipe', 'ignore'] };
    bill = JSON.parse(execFileSync('npm', words, options));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  // npm names the folder.
  Object.assign(bill.metadata.component, { name: manifest.name, version: manifest.version });
  const licences = bill.components.map((component) => ({
    name: component.group ? `${component.group}/${component.name}` : component.name,
    version: component.version,
    licence: (component.licenses ?? [])
      .map(({ license, expression }) => expression ?? license?.id ?? license?.name)
      .join(' AND '),
  }));
  return { bill, licences, problems: licenceProblems(licences) };
}

function licenceProblems(licences) {
  return licences
    .filter(({ licence }) => !LOOKED_AT.has(licence))
    .map(
      ({ name, version, licence }) => `${name} ${version}: ${licence || 'no licence'}, expected one that was looked at`,
    );
}

module.exports = { billOfMaterials, licenceProblems };

if (require.main === module) {
  const folder = process.argv[2];
  if (folder === undefined) {
    process.stderr.write('usage: node deploy/container/bill-of-materials.cjs <folder>\n');
    process.exit(2);
  }
  const { bill, licences, problems } = billOfMaterials();
  writeFileSync(join(folder, 'sbom.cdx.json'), `${JSON.stringify(bill, undefined, 2)}\n`);
  const lines = licences.map(({ name, version, licence }) =>
    [name, version, licence].map((cell) => `"${cell}"`).join(','),
  );
  writeFileSync(join(folder, 'licences.csv'), `package,version,licence\n${lines.sort().join('\n')}\n`);
  process.stdout.write(`${licences.length} packages in ${folder}\n`);
  if (problems.length > 0) {
    process.stderr.write(`${problems.join('\n')}\n`);
    process.exitCode = 1;
  }
}
