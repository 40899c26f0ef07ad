import { join } from 'node:path';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Deployment } from 'kubernetes-models/apps/v1';
import { Job } from 'kubernetes-models/batch/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PriorityClass } from 'kubernetes-models/scheduling.k8s.io/v1';
import { ConfigMap, Namespace, ServiceAccount } from 'kubernetes-models/v1';
import { ScaledObject, TriggerAuthentication } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import ts from 'typescript';
import { ROOT } from '../../architecture/source-files';
import { type Manifest, nameOf } from './rendered';

interface Validated {
  validate(): void;
}

/** The published schemas, by kind, and the module whose types name every member there is. */
const MODELS: Readonly<
  Record<string, { readonly model: new (manifest: never) => Validated; readonly module: string }>
> = {
  ConfigMap: { model: ConfigMap, module: 'kubernetes-models/v1' },
  Deployment: { model: Deployment, module: 'kubernetes-models/apps/v1' },
  Job: { model: Job, module: 'kubernetes-models/batch/v1' },
  Namespace: { model: Namespace, module: 'kubernetes-models/v1' },
  NetworkPolicy: { model: NetworkPolicy, module: 'kubernetes-models/networking.k8s.io/v1' },
  PodDisruptionBudget: { model: PodDisruptionBudget, module: 'kubernetes-models/policy/v1' },
  PriorityClass: { model: PriorityClass, module: 'kubernetes-models/scheduling.k8s.io/v1' },
  ScaledObject: { model: ScaledObject, module: '@kubernetes-models/keda/keda.sh/v1alpha1' },
  ServiceAccount: { model: ServiceAccount, module: 'kubernetes-models/v1' },
  TriggerAuthentication: { model: TriggerAuthentication, module: '@kubernetes-models/keda/keda.sh/v1alpha1' },
};

/** What no package describes: the members that its vendor's documents name. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  SecretProviderClass: ['provider', 'parameters', 'secretObjects'],
  'SecretProviderClass parameters': ['usePodIdentity', 'clientID', 'keyvaultName', 'tenantId', 'objects', 'cloudName'],
  'trigger azure-servicebus': ['namespace', 'topicName', 'subscriptionName', 'messageCount', 'activationMessageCount'],
  'trigger cron': ['timezone', 'start', 'end', 'desiredReplicas'],
};

/** Wrong types, missing members, values that are none of those allowed. */
export function schemaProblems(manifests: readonly Manifest[]): readonly string[] {
  return manifests.flatMap((manifest): readonly string[] => {
    const { model: Model } = MODELS[manifest.kind] ?? {};
    if (!Model) return manifest.kind in MEMBERS ? [] : [`${nameOf(manifest)}: no schema for this kind`];
    try {
      new Model(manifest as never).validate();
      return [];
    } catch (error) {
      return [`${nameOf(manifest)}: ${(error as Error).message}`];
    }
  });
}

/** Members that nobody knows, which a cluster drops without a word and a schema of these lets pass. */
export function unknownMembers(manifests: readonly Manifest[]): readonly string[] {
  const listed = (what: string, found: object): readonly string[] =>
    Object.keys(found)
      .filter((member) => !MEMBERS[what]?.includes(member))
      .map((member) => `${what}: no member ${member}`);
  return [
    ...manifests
      .filter(({ kind }) => kind === 'SecretProviderClass')
      .flatMap(({ spec }) => [
        ...listed('SecretProviderClass', spec as object),
        ...listed('SecretProviderClass parameters', spec.parameters as object),
      ]),
    ...manifests
      .filter(({ kind }) => kind === 'ScaledObject')
      .flatMap(({ spec }) =>
        (spec.triggers as { type: string; metadata: object }[]).flatMap(({ type, metadata }) =>
          listed(`trigger ${type}`, metadata),
        ),
      ),
    ...typeProblems(manifests),
  ];
}

/** Each manifest as a literal of its type: the compiler knows every member. */
function typeProblems(manifests: readonly Manifest[]): readonly string[] {
  const typed = manifests.filter(({ kind }) => kind in MODELS);
  const file = join(ROOT, 'test/deploy/kubernetes/as-literals.ts');
  const kinds = [...new Set(typed.map(({ kind }) => kind))];
  const text = [
    ...kinds.map((kind) => `import { type I${kind} } from '${MODELS[kind]!.module}';`),
    ...typed.map((manifest, index) => `export const m${index}: I${manifest.kind} = ${JSON.stringify(manifest)};`),
  ];
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    target: ts.ScriptTarget.ES2022,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  const source = text.join('\n');
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? source : readFile(name));
  host.getSourceFile = (name, language, ...rest) =>
    name === file ? ts.createSourceFile(name, source, language) : getSourceFile(name, language, ...rest);
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start, file: where }) => {
    const line = where && start !== undefined ? where.getLineAndCharacterOfPosition(start).line : -1;
    const manifest = where?.fileName === file ? typed[line - kinds.length] : undefined;
    return `${manifest ? nameOf(manifest) : 'types'}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
