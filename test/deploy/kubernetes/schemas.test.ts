import { WHOLE_RUN_MS } from '../../support/until';
import { kustomizeOfThisMachine, type Manifest, one, overlays, render } from './rendered';
import { schemaProblems, unknownMembers } from './schemas';

jest.setTimeout(WHOLE_RUN_MS);
const kustomize = kustomizeOfThisMachine();

if (kustomize === undefined) {
  it.skip('schemas of the manifests (not run: neither kustomize nor kubectl with kustomize 5 or newer is on this machine)', () =>
    undefined);
} else {
  it.each(overlays)('every manifest of %s is what Kubernetes and KEDA take, member by member', (overlay) => {
    const manifests = render(kustomize, overlay);
    expect(schemaProblems(manifests)).toEqual([]);
    expect(unknownMembers(manifests)).toEqual([]);
  });

  const changed = (change: (manifests: readonly Manifest[]) => void): readonly Manifest[] => {
    const manifests = structuredClone(render(kustomize, 'prod'));
    change(manifests);
    return manifests;
  };
  const payments = (all: readonly Manifest[]) => one(all, 'ScaledObject', 'datapump-consumer-payments').spec;

  it.each<[string, (all: readonly Manifest[]) => void, RegExp]>([
    ['a number as text', (all) => void (payments(all).minReplicaCount = '2'), /minReplicaCount/],
    ['a missing member', (all) => void delete payments(all).scaleTargetRef, /scaleTargetRef/],
    [
      'a word that is none of those allowed',
      (all) => void (one(all, 'Job', 'datapump-migrate').spec.template.spec.restartPolicy = 7),
      /restartPolicy/,
    ],
    ['a kind without a schema', (all) => void (one(all, 'Job', 'datapump-migrate').kind = 'Jib'), /no schema/],
  ])('the schemas refuse %s', (_, change, words) => {
    expect(schemaProblems(changed(change)).join('\n')).toMatch(words);
  });

  it('members that nobody knows are found wherever they are', () => {
    const manifests = changed((all) => {
      one(all, 'Deployment', 'datapump-scanner').spec.template.spec.terminationGraceSeconds = 5;
      payments(all).minReplicas = 1;
      payments(all).triggers[0].metadata.activationMessages = '1';
      one(all, 'SecretProviderClass', 'datapump-certificates').spec.parameters.vault = 'x';
    });
    const found = unknownMembers(manifests).join('\n');
    for (const member of ['terminationGraceSeconds', 'minReplicas', 'activationMessages', 'vault'])
      expect(found).toContain(member);
  });
}
