import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../architecture/source-files';

const IMAGE = `registry.example.com/datapump@sha256:${'a'.repeat(64)}`;
const RENDERED = `kind: Namespace
metadata:
  name: datapump
---
kind: Job
spec: datapump.invalid/datapump:given-at-roll-out
---
kind: Job
`;

/** A kubectl that writes down what it is told, and whose Jobs end as the test says. */
function rollOut(words: readonly string[], jobs: { readonly succeeded: string; readonly conditions: string }) {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-roll-out-'));
  try {
    const told = join(folder, 'told');
    writeFileSync(told, '');
    writeFileSync(join(folder, 'rendered.yaml'), RENDERED);
    const kubectl = join(folder, 'kubectl');
    writeFileSync(
      kubectl,
      `#!/usr/bin/env bash
if [ "$1" = kustomize ]; then cat '${folder}/rendered.yaml'; exit; fi
echo "$*" | sed 's|-f [^ ]*|-f FILE|' >>'${told}'
case "$*" in
  *status.succeeded*) echo '${jobs.succeeded}' ;;
  *conditions*) echo '${jobs.conditions}' ;;
  apply*set-up*) grep -c '${IMAGE}' "$3" >>'${told}' ;;
esac
`,
    );
    chmodSync(kubectl, 0o700);
    const run = spawnSync(join(ROOT, 'deploy/kubernetes/roll-out.sh'), words, {
      encoding: 'utf8',
      env: { PATH: `${folder}:${process.env['PATH']}`, ROLL_OUT_POLL_SECONDS: '0.01' },
    });
    const lines = readFileSync(told, 'utf8').split('\n').filter(Boolean);
    return { ...run, told: lines.filter((line) => !line.includes(' get jobs ')) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

it('rolls out the services after set-up is done, with the image it was given', () => {
  const { status, told } = rollOut(['prod', IMAGE], { succeeded: '1 1', conditions: '' });
  expect(status).toBe(0);
  expect(told).toEqual([
    'apply -f FILE -l datapump.io/step=platform',
    '-n datapump delete jobs -l datapump.io/step=set-up --ignore-not-found',
    'apply -f FILE -l datapump.io/step=set-up',
    '1',
    'apply -f FILE -l datapump.io/step=services',
    '-n datapump rollout status deployment -l datapump.io/step=services --timeout=900s',
  ]);
});

it('leaves the services alone where set-up failed, and shows its words', () => {
  const { status, told, stderr } = rollOut(['prod', IMAGE], { succeeded: '1', conditions: 'Complete Failed' });
  expect(status).toBe(1);
  expect(stderr).toContain('the services were not touched');
  expect(told.filter((line) => line.includes('step=services'))).toEqual([]);
  expect(told.at(-1)).toContain('logs -l datapump.io/step=set-up');
});

it.each([
  ['a tag', ['prod', 'registry.example.com/datapump:1.0'], 'expected <registry>/<name>@sha256:'],
  ['an overlay that is not there', ['production', IMAGE], 'usage: '],
  ['no image', ['prod'], 'usage: '],
])('refuses %s before it asks the cluster anything', (_, words, said) => {
  const { status, told, stderr } = rollOut(words, { succeeded: '', conditions: '' });
  expect([status, told]).toEqual([2, []]);
  expect(stderr).toContain(said);
});
