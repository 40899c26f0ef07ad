import { POLICIES, SettingsRefused } from './policies';
import { kustomizeOfThisMachine, type Manifest, overlays, render } from './rendered';

const kustomize = kustomizeOfThisMachine();

if (kustomize === undefined) {
  it.skip('the rendered manifests (not run: neither kustomize nor kubectl with kustomize 5 or newer is on this machine)', () =>
    undefined);
} else {
  describe.each(overlays)('overlay %s', (overlay) => {
    let manifests: readonly Manifest[] = [];
    beforeAll(() => {
      manifests = render(kustomize, overlay);
      expect(manifests.length).toBeGreaterThan(30);
    });

    describe.each(POLICIES.map((policy) => [policy.rule, policy] as const))('%s', (_, policy) => {
      it('holds', () => {
        expect(policy.problems(manifests)).toEqual([]);
      });

      it.each(Object.entries(policy.broken))('is seen to be broken by %s', (_change, change) => {
        const copy = structuredClone(manifests);
        change(copy);
        expect(copy).not.toEqual(manifests);
        expect(problemsOrRefusal(() => policy.problems(copy))).not.toEqual([]);
      });
    });
  });
}

/** A change may be so wrong that the settings cannot be read at all: that, too, stops a roll-out. */
function problemsOrRefusal(problems: () => readonly string[]): readonly string[] {
  try {
    return problems();
  } catch (error) {
    if (error instanceof SettingsRefused) return [error.message];
    throw error;
  }
}
