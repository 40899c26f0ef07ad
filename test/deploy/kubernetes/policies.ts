import { DATA_TYPES } from '../../../src/domain/biller/data-type';
import { declareTopology } from '../../../src/application/messaging/topology';
import { CLOSING_MS } from '../../../src/bootstrap/command-line/drain-limit';
import { createProgram } from '../../../src/bootstrap/command-line/program';
import { type Declaration, DECLARATIONS, type Settings } from '../../../src/bootstrap/configuration/declarations';
import { loadSettings } from '../../../src/bootstrap/configuration/load-settings';
import { problemLine } from '../../../src/bootstrap/configuration/setting-problem';
import { declaredSubscriptions } from '../../../src/bootstrap/configuration/subscriptions-setting';
import { type Manifest, nameOf, ofKind, one } from './rendered';

/** A rule of ours about what is applied. */
export interface Policy {
  readonly rule: string;
  /** What breaks it, a sentence each. */
  readonly problems: (manifests: readonly Manifest[]) => readonly string[];
  /** Changes such as a hasty hand would make, each of which must be refused. */
  readonly broken: Readonly<Record<string, (manifests: readonly Manifest[]) => void>>;
}

const workloads = (manifests: readonly Manifest[]) => ofKind(manifests, 'Deployment', 'Job');
const services = (manifests: readonly Manifest[]) =>
  ofKind(manifests, 'Deployment').filter(({ spec }) => containerOf({ spec }).args?.[0] === 'run');
const podOf = ({ spec }: Pick<Manifest, 'spec'>) => spec.template.spec;
const containerOf = (manifest: Pick<Manifest, 'spec'>) => podOf(manifest).containers[0];
const labelsOf = ({ spec }: Manifest): Record<string, string> => spec.template.metadata.labels;
const selects = (matchLabels: Record<string, string> | undefined, labels: Record<string, string>): boolean =>
  Object.entries(matchLabels ?? {}).every(([name, value]) => labels[name] === value);
const settingsData = (manifests: readonly Manifest[]) => one(manifests, 'ConfigMap', 'datapump-settings').data!;
const says = (problem: string, isWrong: boolean): readonly string[] => (isWrong ? [problem] : []);

/** The rendered settings, read as every program reads them. */
export function settingsOf(manifests: readonly Manifest[]): Settings {
  const loaded = loadSettings({ environment: settingsData(manifests) });
  if ('problems' in loaded) throw new SettingsRefused(loaded.problems.map(problemLine).join('\n'));
  return loaded.settings;
}

/** No process would start with them. */
export class SettingsRefused extends Error {}

function topologyOf(settings: Settings) {
  return declareTopology({
    eventsTopic: settings['ServiceBus:TopicName'],
    subscriptions: declaredSubscriptions(settings['ServiceBus:Subscriptions']),
    lockMs: settings['Bus:LockSeconds'] * 1_000,
    deliveryCountMax: settings['Bus:DeliveryCountMax'],
    duplicateDetectionWindowMs: settings['Bus:DuplicateDetectionMinutes'] * 60_000,
  });
}

const busTriggerOf = (scaled: Manifest) =>
  scaled.spec.triggers.find(({ type }: { type: string }) => type === 'azure-servicebus');
const scaledFor = (manifests: readonly Manifest[], dataType: string) =>
  one(manifests, 'ScaledObject', `datapump-consumer-${dataType.toLowerCase()}`);
const priorityOf = (manifests: readonly Manifest[], dataType: string): number => {
  const deployment = one(manifests, 'Deployment', `datapump-consumer-${dataType.toLowerCase()}`);
  return one(manifests, 'PriorityClass', podOf(deployment).priorityClassName as string).value!;
};
const PLACEHOLDER_IMAGE = 'datapump.invalid/datapump:given-at-roll-out';
const METADATA_SERVICE = '169.254.169.254';

/** Whether an address lies in a block; both IPv4. */
function covers(cidr: string, address: string): boolean {
  const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const [network, bits] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return Math.floor(number(network!) / size) === Math.floor(number(address) / size);
}

export const POLICIES: readonly Policy[] = [
  {
    rule: 'pods run with no more rights than the restricted standard allows, and write nowhere but to their volumes',
    problems: (manifests) => [
      ...workloads(manifests).flatMap((workload) => {
        const pod = podOf(workload);
        const where = nameOf(workload);
        return [
          ...says(
            `${where}: may run as root`,
            pod.securityContext?.runAsNonRoot !== true || !pod.securityContext.runAsUser,
          ),
          ...says(`${where}: seccomp profile`, pod.securityContext?.seccompProfile?.type !== 'RuntimeDefault'),
          ...says(`${where}: gets a token of the cluster`, pod.automountServiceAccountToken !== false),
          ...says(`${where}: shares with its node`, Boolean(pod.hostNetwork ?? pod.hostPID ?? pod.hostIPC)),
          ...pod.volumes
            .filter((volume: object) => 'hostPath' in volume)
            .map(() => `${where}: mounts a folder of its node`),
          ...[...pod.containers, ...(pod.initContainers ?? [])].flatMap(({ securityContext: rights }) => [
            ...says(`${where}: may gain rights`, rights?.allowPrivilegeEscalation !== false),
            ...says(`${where}: its root can be written`, rights?.readOnlyRootFilesystem !== true),
            ...says(
              `${where}: keeps capabilities`,
              rights?.capabilities?.drop?.[0] !== 'ALL' || rights.capabilities.add !== undefined,
            ),
            ...says(`${where}: is privileged`, rights?.privileged === true),
          ]),
        ];
      }),
      ...says(
        'the namespace does not enforce the restricted standard',
        ofKind(manifests, 'Namespace')[0]?.metadata.labels?.['pod-security.kubernetes.io/enforce'] !== 'restricted',
      ),
      ...ofKind(manifests, 'Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding').map(
        (manifest) => `${nameOf(manifest)}: no pod asks the cluster for anything`,
      ),
    ],
    broken: {
      root: (all) => void (podOf(one(all, 'Deployment', 'datapump-scanner')).securityContext.runAsNonRoot = false),
      'a root that can be written': (all) =>
        void (containerOf(one(all, 'Job', 'datapump-migrate')).securityContext.readOnlyRootFilesystem = false),
      'a capability': (all) =>
        void (containerOf(one(all, 'Deployment', 'datapump-fetcher')).securityContext.capabilities.add = ['NET_RAW']),
      'a folder of the node': (all) =>
        void podOf(one(all, 'Deployment', 'datapump-fetcher')).volumes.push({ name: 'x', hostPath: { path: '/' } }),
      'a lax namespace': (all) =>
        void (one(all, 'Namespace', 'datapump').metadata.labels!['pod-security.kubernetes.io/enforce'] = 'baseline'),
    },
  },
  {
    rule: 'one image runs everywhere, put in at the roll-out or named by digest',
    problems: (manifests) => {
      const images = new Set<string>(workloads(manifests).map((workload) => containerOf(workload).image as string));
      return [
        ...says(`${images.size} images`, images.size !== 1),
        ...[...images]
          .filter((image) => image !== PLACEHOLDER_IMAGE && !/@sha256:[0-9a-f]{64}$/.test(image))
          .map((image) => `${image}: a tag may be moved under a running system`),
      ];
    },
    broken: {
      'a tag': (all) =>
        workloads(all).forEach((workload) => (containerOf(workload).image = 'registry.example.com/datapump:latest')),
      'a second image': (all) =>
        void (containerOf(one(all, 'Deployment', 'datapump-scanner')).image = `x@sha256:${'a'.repeat(64)}`),
    },
  },
  {
    rule: 'each pod says what it needs, and cannot take the memory of its neighbours',
    problems: (manifests) =>
      workloads(manifests).flatMap((workload) => {
        const { requests, limits } = containerOf(workload).resources ?? {};
        return [
          ...says(`${nameOf(workload)}: requests`, !requests?.cpu || !requests.memory),
          ...says(`${nameOf(workload)}: memory without a limit`, !limits?.memory),
          ...podOf(workload)
            .volumes.filter((volume: { emptyDir?: { sizeLimit?: string } }) => volume.emptyDir?.sizeLimit === '')
            .map(() => `${nameOf(workload)}: a volume without a limit`),
        ];
      }),
    broken: {
      'no limit': (all) => void delete containerOf(one(all, 'Deployment', 'datapump-scanner')).resources.limits,
    },
  },
  {
    rule: 'probes ask the health port, and give the start and the watchdog the time that they have',
    problems: (manifests) => {
      const settings = settingsOf(manifests);
      return services(manifests).flatMap((service) => {
        const { startupProbe, livenessProbe, readinessProbe, ports } = containerOf(service);
        const where = nameOf(service);
        const window = ({ periodSeconds, failureThreshold }: Record<string, number>) =>
          periodSeconds! * failureThreshold!;
        return [
          ...says(`${where}: health port`, ports?.[0]?.containerPort !== settings['Health:Port']),
          ...says(`${where}: health address`, settings['Health:Host'] !== '0.0.0.0'),
          ...says(`${where}: liveness path`, livenessProbe?.httpGet?.path !== '/health/live'),
          ...says(`${where}: readiness path`, readinessProbe?.httpGet?.path !== '/health/ready'),
          // Thirty ticks of the watchdog and the fuse of a probe: ARCHITECTURE, "A process that is stuck".
          ...says(`${where}: the probe kills before the watchdog`, window(livenessProbe ?? {}) < 60),
          ...says(`${where}: a probe's time`, livenessProbe?.timeoutSeconds < 5),
          ...says(
            `${where}: killed while it waits for a server at its start`,
            !(window(startupProbe ?? {}) > settings['Start:WaitSeconds'] + 30),
          ),
        ];
      });
    },
    broken: {
      'an impatient probe': (all) =>
        void (containerOf(one(all, 'Deployment', 'datapump-scanner')).livenessProbe.failureThreshold = 3),
      'an impatient start': (all) => void (settingsData(all)['Start__WaitSeconds'] = '300'),
      'another port': (all) => void (settingsData(all)['Health__Port'] = '8081'),
      'no readiness': (all) =>
        void delete containerOf(one(all, 'Deployment', 'datapump-consumer-payments')).readinessProbe,
    },
  },
  {
    rule: 'whoever is told to stop may finish what is in hand: the grace outlasts the stop, the stop outlasts the lock',
    problems: (manifests) => {
      const settings = settingsOf(manifests);
      const stop = settings['Supervisor:StopSeconds'];
      return [
        ...says('Supervisor:StopSeconds is not above Bus:LockSeconds', stop <= settings['Bus:LockSeconds']),
        ...services(manifests).flatMap((service) =>
          says(
            `${nameOf(service)}: killed before it has stopped`,
            !(podOf(service).terminationGracePeriodSeconds > stop + CLOSING_MS / 1_000),
          ),
        ),
      ];
    },
    broken: {
      'the default grace': (all) =>
        void delete podOf(one(all, 'Deployment', 'datapump-consumer-payments')).terminationGracePeriodSeconds,
      'a longer lock': (all) => void (settingsData(all)['Bus__LockSeconds'] = '120'),
    },
  },
  {
    rule: 'each service has its own disruption budget and spreads its own pods',
    problems: (manifests) => {
      const budgets = ofKind(manifests, 'PodDisruptionBudget');
      return [
        ...budgets.flatMap((budget) => {
          const chosen = workloads(manifests).filter((workload) =>
            selects(budget.spec.selector?.matchLabels, labelsOf(workload)),
          );
          return [
            ...says(`${nameOf(budget)}: is for ${chosen.length} workloads`, chosen.length !== 1),
            ...says(`${nameOf(budget)}: lets no node be emptied`, budget.spec.maxUnavailable !== 1),
          ];
        }),
        ...services(manifests).flatMap((service) => [
          ...says(
            `${nameOf(service)}: no disruption budget`,
            !budgets.some((budget) => selects(budget.spec.selector?.matchLabels, labelsOf(service))),
          ),
          ...['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].flatMap((key) => {
            const spread = podOf(service).topologySpreadConstraints?.find(
              ({ topologyKey }: { topologyKey: string }) => topologyKey === key,
            );
            const same = JSON.stringify(spread?.labelSelector) === JSON.stringify(service.spec.selector);
            return says(`${nameOf(service)}: does not spread its pods by ${key}`, !same);
          }),
        ]),
      ];
    },
    broken: {
      'a budget for all': (all) => void (one(all, 'PodDisruptionBudget', 'datapump-scanner').spec.selector = {}),
      'a budget that blocks': (all) =>
        void (one(all, 'PodDisruptionBudget', 'datapump-scanner').spec.maxUnavailable = 0),
      'a spread of all pods': (all) =>
        void (podOf(one(all, 'Deployment', 'datapump-fetcher')).topologySpreadConstraints[0].labelSelector = {}),
    },
  },
  {
    rule: 'nothing comes in and nothing goes out but the named flows, and none reaches the node or its identity',
    problems: (manifests) => {
      const policies = ofKind(manifests, 'NetworkPolicy');
      const deny = policies.find(({ metadata }) => metadata.name === 'default-deny')?.spec;
      const closed =
        deny &&
        Object.keys(deny.podSelector).length === 0 &&
        !deny.ingress &&
        !deny.egress &&
        deny.policyTypes.length === 2;
      return [
        ...says('no default-deny for both ways and all pods', !closed),
        ...policies.flatMap((policy) =>
          [...(policy.spec.egress ?? []), ...(policy.spec.ingress ?? [])].flatMap((flow) => {
            const peers = [...(flow.to ?? []), ...(flow.from ?? [])] as {
              ipBlock?: { cidr: string; except?: string[] };
            }[];
            return [
              ...says(`${nameOf(policy)}: a flow to or from anywhere`, peers.length === 0),
              ...says(`${nameOf(policy)}: a flow on every port`, !(flow.ports?.length > 0)),
              ...peers.flatMap(({ ipBlock }) =>
                says(
                  `${nameOf(policy)}: reaches the identity of the node at ${METADATA_SERVICE}`,
                  ipBlock !== undefined &&
                    covers(ipBlock.cidr, METADATA_SERVICE) &&
                    !(ipBlock.except ?? []).some((block) => covers(block, METADATA_SERVICE)),
                ),
              ),
            ];
          }),
        ),
      ];
    },
    broken: {
      'no default-deny': (all) => void (one(all, 'NetworkPolicy', 'default-deny').spec.policyTypes = ['Ingress']),
      'a flow to anywhere': (all) => void delete one(all, 'NetworkPolicy', 'names').spec.egress[0].to,
      'every port': (all) => void delete one(all, 'NetworkPolicy', 'stores').spec.egress[0].ports,
      'the identity of the node': (all) =>
        void delete one(all, 'NetworkPolicy', 'sign-in-and-billers').spec.egress[0].to[0].ipBlock.except,
    },
  },
  {
    rule: 'every variable is a declared setting, the settings are right together, and none is a secret',
    problems: (manifests) => {
      const declared: Readonly<Record<string, Declaration>> = DECLARATIONS;
      const variables = [
        ...Object.keys(settingsData(manifests)),
        ...workloads(manifests).flatMap((workload) =>
          (containerOf(workload).env ?? []).map(({ name }: { name: string }) => name),
        ),
      ];
      const loaded = loadSettings({ environment: settingsData(manifests) });
      return [
        ...variables.flatMap((variable) => {
          const declaration = declared[variable.replace('__', ':')];
          return [
            ...says(`${variable}: no such setting`, declaration === undefined),
            ...says(`${variable}: a secret in a manifest`, declaration?.secret === true),
          ];
        }),
        ...('problems' in loaded ? loaded.problems.map(problemLine) : []),
        ...ofKind(manifests, 'Secret').map((manifest) => `${nameOf(manifest)}: secrets are in the vault`),
      ];
    },
    broken: {
      'a slip': (all) => void (settingsData(all)['Scanner__SleepSecond'] = '5'),
      'a variable nobody declares': (all) => void (settingsData(all)['PAYMENTS_URL'] = 'https://api.example.com'),
      'settings that contradict each other': (all) => void delete settingsData(all)['KeyVault__Url'],
      'a secret': (all) => void (settingsData(all)['Redis__Url'] = 'rediss://:password@cache.example.com:6380'),
      'a variable of one container': (all) =>
        void (containerOf(one(all, 'Deployment', 'datapump-fetcher')).env = [{ name: 'Fetcher__Batch', value: '1' }]),
    },
  },
  {
    rule: 'what is named is there: settings, profiles, certificates, accounts, priorities',
    problems: (manifests) => {
      const has = (kind: string, name: string): boolean =>
        manifests.some((manifest) => manifest.kind === kind && manifest.metadata.name === name);
      const settings = settingsOf(manifests);
      const files = ofKind(manifests, 'SecretProviderClass').flatMap(({ spec }) =>
        [...(spec.parameters.objects as string).matchAll(/objectAlias: (\S+)/g)].map((match) => match[1]!),
      );
      const names = workloads(manifests).flatMap((workload) => {
        const pod = podOf(workload);
        const mounts = containerOf(workload).volumeMounts as { name: string; mountPath: string }[];
        const mounted = (path: string) => mounts.find(({ mountPath }) => path.startsWith(mountPath))?.name;
        const file = settings['Seal:PublicKeyFile'];
        return [
          ...containerOf(workload).envFrom.map(({ configMapRef }: { configMapRef: { name: string } }) => [
            'ConfigMap',
            configMapRef.name,
          ]),
          ...pod.volumes.flatMap(({ configMap, csi }: Record<string, { name: string; volumeAttributes: object }>) => [
            ...(configMap ? [['ConfigMap', configMap.name]] : []),
            ...(csi
              ? [['SecretProviderClass', (csi.volumeAttributes as Record<string, string>)['secretProviderClass']]]
              : []),
          ]),
          ['ServiceAccount', pod.serviceAccountName],
          ['PriorityClass', pod.priorityClassName],
        ]
          .filter(([kind, name]) => !has(kind as string, name as string))
          .map(([kind, name]) => `${nameOf(workload)}: no ${kind} ${name}`)
          .concat(
            says(`${nameOf(workload)}: Billers:Folder`, mounted(settings['Billers:Folder']) !== 'billers'),
            // The volume itself is root's: the folder that must be this user's alone is made inside it.
            says(
              `${nameOf(workload)}: Data:Folder`,
              mounted(settings['Data:Folder']) !== 'data' ||
                mounts.some(({ mountPath }) => mountPath === settings['Data:Folder']),
            ),
            says(
              `${nameOf(workload)}: Seal:PublicKeyFile`,
              mounted(file) !== 'certificates' || !files.some((name) => file.endsWith(`/${name}`)),
            ),
          );
      });
      const left = JSON.stringify(manifests).match(/set-in-[a-z]+|192\.0\.2\.0|00000000-0000-0000-0000-000000000000/g);
      return [...names, ...(left ?? []).map((text) => `${text}: was to be put in by the overlay`)];
    },
    broken: {
      'an account that is not there': (all) =>
        void (podOf(one(all, 'Deployment', 'datapump-fetcher')).serviceAccountName = 'default'),
      'settings of another roll-out': (all) =>
        void (one(all, 'ConfigMap', 'datapump-settings').metadata.name = 'datapump-settings-old'),
      'data in the volume itself': (all) => void (settingsData(all)['Data__Folder'] = '/var/lib/datapump'),
      'a file that is not mounted': (all) =>
        void (settingsData(all)['Seal__PublicKeyFile'] = '/etc/datapump/certificates/other.pem'),
      'a parameter not put in': (all) =>
        void (one(all, 'TriggerAuthentication', 'datapump-scaling').spec.podIdentity.identityId =
          '00000000-0000-0000-0000-000000000000'),
    },
  },
  {
    rule: 'each service is who it is: an account and an identity of its own',
    problems: (manifests) => {
      const accounts = workloads(manifests).map((workload) => ({
        workload,
        component: `${labelsOf(workload)['app.kubernetes.io/component']} ${labelsOf(workload)['datapump.io/data-type'] ?? ''}`,
        account: podOf(workload).serviceAccountName as string,
      }));
      const identity = ({ metadata }: Manifest) => metadata.annotations?.['azure.workload.identity/client-id'];
      const identities = ofKind(manifests, 'ServiceAccount').map(identity);
      return [
        ...accounts.flatMap(({ workload, component, account }) =>
          says(
            `${nameOf(workload)}: shares the account ${account}`,
            accounts.some((other) => other.account === account && other.component !== component),
          ),
        ),
        ...says('two accounts with one identity', new Set(identities).size !== identities.length),
        ...workloads(manifests).flatMap((workload) =>
          says(
            `${nameOf(workload)}: no workload identity`,
            labelsOf(workload)['azure.workload.identity/use'] !== 'true',
          ),
        ),
      ];
    },
    broken: {
      'a shared account': (all) =>
        void (podOf(one(all, 'Deployment', 'datapump-scanner')).serviceAccountName = 'datapump-fetcher'),
      'a shared identity': (all) => {
        const [first, second] = ofKind(all, 'ServiceAccount');
        first!.metadata.annotations = second!.metadata.annotations!;
      },
    },
  },
  {
    rule: 'a service for the fetcher, the scanner and each data type, each by a command that exists',
    problems: (manifests) => [
      ...workloads(manifests).flatMap((workload) => {
        const words = (containerOf(workload).args ?? []) as string[];
        let command = createProgram();
        let at = 0;
        for (; at < words.length && !words[at]!.startsWith('--'); at++) {
          const next = command.commands.find((child) => child.name() === words[at]);
          if (!next) return [`${nameOf(workload)}: no command ${words.slice(0, at + 1).join(' ')}`];
          command = next;
        }
        return words
          .slice(at)
          .filter((word) => word.startsWith('--') && !command.options.some(({ long }) => long === word))
          .map((word) => `${nameOf(workload)}: ${command.name()} has no ${word}`);
      }),
      ...[
        'run scanner',
        'run fetcher',
        ...DATA_TYPES.map((type) => `run consumer --type ${type.toLowerCase()}`),
      ].flatMap((wanted) => {
        const found = services(manifests).filter((service) => containerOf(service).args.join(' ') === wanted);
        return says(`${found.length} services for ${wanted}`, found.length !== 1);
      }),
      ...['migrate', 'topology'].flatMap((wanted) => {
        const found = ofKind(manifests, 'Job').filter((job) => containerOf(job).args[0] === wanted);
        return says(`${found.length} set-up Jobs for ${wanted}`, found.length !== 1);
      }),
    ],
    broken: {
      'a word that is no command': (all) =>
        void (containerOf(one(all, 'Deployment', 'datapump-scanner')).args = ['run', 'scaner']),
      'a data type twice': (all) =>
        void (containerOf(one(all, 'Deployment', 'datapump-consumer-autopay')).args[3] = 'payments'),
      'a flag that is none': (all) => void containerOf(one(all, 'Job', 'datapump-migrate')).args.push('--force'),
    },
  },
  {
    rule: 'KEDA looks where the messages are, as somebody, and every trigger is of a kind whose metric exists',
    problems: (manifests) => {
      const settings = settingsOf(manifests);
      const topology = topologyOf(settings);
      const scaled = ofKind(manifests, 'ScaledObject');
      return [
        ...services(manifests)
          .filter(({ spec }) => spec.replicas === undefined)
          .flatMap((service) =>
            says(
              `${nameOf(service)}: neither replicas nor a scaler`,
              !scaled.some(({ spec }) => spec.scaleTargetRef.name === service.metadata.name),
            ),
          ),
        ...scaled.flatMap((one): readonly string[] => {
          const where = nameOf(one);
          const target = services(manifests).find(({ metadata }) => metadata.name === one.spec.scaleTargetRef.name);
          if (!target) return [`${where}: no ${one.spec.scaleTargetRef.name}`];
          const { metadata, authenticationRef } = busTriggerOf(one) ?? { metadata: {} };
          const dataType = labelsOf(target)['datapump.io/data-type'];
          const { topicName, subscriptionName } = metadata as Record<string, string>;
          const subscription = topology
            .find(({ name }) => name === topicName)
            ?.subscriptions.find(({ name }) => name === subscriptionName);
          return [
            ...says(`${where}: two say how many`, target.spec.replicas !== undefined),
            ...says(`${where}: no subscription ${topicName}/${subscriptionName}`, subscription === undefined),
            ...says(
              `${where}: another's subscription`,
              subscription !== undefined && (subscription.eventType ?? '').toLowerCase() !== (dataType ?? ''),
            ),
            ...says(`${where}: namespace`, metadata.namespace !== settings['ServiceBus:Namespace'].split('.')[0]),
            ...says(
              `${where}: nobody to ask as`,
              !ofKind(manifests, 'TriggerAuthentication').some(
                (auth) => auth.metadata.name === authenticationRef?.name,
              ),
            ),
            ...one.spec.triggers
              .filter(({ type }: { type: string }) => type !== 'azure-servicebus' && type !== 'cron')
              .map(({ type }: { type: string }) => `${where}: a trigger of kind ${type}, whose metric nobody gives`),
          ];
        }),
      ];
    },
    broken: {
      'a subscription that is not there': (all) =>
        void (busTriggerOf(scaledFor(all, 'Payments')).metadata.subscriptionName = 'payment'),
      "another's subscription": (all) =>
        void (busTriggerOf(scaledFor(all, 'Payments')).metadata.subscriptionName = 'paperless'),
      'a topic that was renamed': (all) => void (settingsData(all)['ServiceBus__TopicName'] = 'records'),
      'a metric that nobody gives': (all) =>
        void scaledFor(all, 'Payments').spec.triggers.push({ type: 'prometheus', metadata: { query: 'datapump_x' } }),
      'two who say how many': (all) => void (one(all, 'Deployment', 'datapump-fetcher').spec.replicas = 3),
    },
  },
  {
    rule: 'few messages wake somebody in the end, also where many are waited for',
    problems: (manifests) =>
      ofKind(manifests, 'ScaledObject').flatMap((scaled) => {
        const waits =
          scaled.spec.minReplicaCount === 0 && Number(busTriggerOf(scaled).metadata.activationMessageCount) > 0;
        const everyHour = scaled.spec.triggers.some(
          ({ type, metadata }: { type: string; metadata: Record<string, string> }) =>
            type === 'cron' && /^\d+ \* \* \* \*$/.test(metadata['start']!) && Number(metadata['desiredReplicas']) > 0,
        );
        return says(`${nameOf(scaled)}: a few messages wait for ever`, waits && !everyHour);
      }),
    broken: {
      'no hour of waking': (all) => void scaledFor(all, 'Paperless').spec.triggers.pop(),
      'once a year': (all) => void (scaledFor(all, 'Paperless').spec.triggers[1].metadata.start = '0 0 1 1 *'),
    },
  },
  {
    rule: 'payments outrank every other data type: sooner, more, and first where the nodes are full',
    problems: (manifests) => {
      const payments = scaledFor(manifests, 'Payments');
      const target = (scaled: Manifest) => Number(busTriggerOf(scaled).metadata.messageCount);
      return [
        ...says('payments may have nobody', payments.spec.minReplicaCount < 1),
        ...says('payments wait for company', Number(busTriggerOf(payments).metadata.activationMessageCount) !== 0),
        ...says('payments have no pods when KEDA cannot look', !(payments.spec.fallback?.replicas >= 1)),
        ...DATA_TYPES.filter((dataType) => dataType !== 'Payments').flatMap((dataType) => {
          const other = scaledFor(manifests, dataType);
          return [
            ...says(
              `${dataType}: as many pods as payments`,
              other.spec.maxReplicaCount >= payments.spec.maxReplicaCount,
            ),
            ...says(`${dataType}: more pods for as many messages`, target(other) <= target(payments)),
            ...says(`${dataType}: looked at more often`, other.spec.pollingInterval < payments.spec.pollingInterval),
            ...says(`${dataType}: its priority`, priorityOf(manifests, dataType) >= priorityOf(manifests, 'Payments')),
          ];
        }),
      ];
    },
    broken: {
      'paperless first': (all) => void (busTriggerOf(scaledFor(all, 'Paperless')).metadata.messageCount = '10'),
      'paperless most': (all) => void (scaledFor(all, 'Paperless').spec.maxReplicaCount = 40),
      'nobody for payments': (all) => void (scaledFor(all, 'Payments').spec.minReplicaCount = 0),
      'one priority for all': (all) =>
        void (podOf(one(all, 'Deployment', 'datapump-consumer-payments')).priorityClassName = 'datapump-others'),
    },
  },
  {
    rule: 'everything has its step of the roll-out and, but for what is of the whole cluster, the namespace',
    problems: (manifests) => {
      const steps: Readonly<Record<string, string>> = {
        Job: 'set-up',
        Deployment: 'services',
        ScaledObject: 'services',
      };
      const namespace = one(manifests, 'Namespace', 'datapump').metadata.name;
      return manifests.flatMap((manifest) => {
        const step = manifest.metadata.labels?.['datapump.io/step'];
        const wanted = steps[manifest.kind];
        const ofCluster = ['Namespace', 'PriorityClass'].includes(manifest.kind);
        return [
          ...says(`${nameOf(manifest)}: in no step`, !['platform', 'set-up', 'services'].includes(step ?? '')),
          ...says(`${nameOf(manifest)}: in step ${step}`, wanted !== undefined && step !== wanted),
          ...says(`${nameOf(manifest)}: in no namespace`, !ofCluster && manifest.metadata.namespace !== namespace),
        ];
      });
    },
    broken: {
      'no step': (all) => void delete one(all, 'ScaledObject', 'datapump-fetcher').metadata.labels,
      'a service before set-up': (all) =>
        void (one(all, 'Deployment', 'datapump-scanner').metadata.labels!['datapump.io/step'] = 'platform'),
      'another namespace': (all) => void (one(all, 'Job', 'datapump-migrate').metadata.namespace = 'default'),
    },
  },
];
