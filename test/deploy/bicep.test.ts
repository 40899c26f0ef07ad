import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Language, type Node, Parser } from 'web-tree-sitter';
import { parse } from 'yaml';
import { msOfIsoDuration } from '../../src/adapters/service-bus/iso-duration';
import { type ExistingTopic, planTopology } from '../../src/adapters/service-bus/topology-plan';
import { SqliteMessageBus } from '../../src/adapters/sqlite/sqlite-message-bus';
import { declareTopology, type TopologySettings } from '../../src/application/messaging/topology';
import { busTemplate } from '../../src/bootstrap/configuration/bus-template';
import { type Settings } from '../../src/bootstrap/configuration/declarations';
import { loadSettings } from '../../src/bootstrap/configuration/load-settings';
import { createContainer } from '../../src/bootstrap/container/create-container';
import { TOKENS } from '../../src/bootstrap/container/tokens';
import { ROOT } from '../architecture/source-files';
import { settingsOf } from './kubernetes/policies';
import { kustomizeOfThisMachine, ofKind, overlays, render } from './kubernetes/rendered';

const FOLDER = join(ROOT, 'deploy/bicep');
const texts = new Map(
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.bicep'))
    .map((name) => [name, readFileSync(join(FOLDER, name), 'utf8')]),
);

interface Resource {
  readonly file: string;
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

let parser: Parser;
beforeAll(async () => {
  await Parser.init();
  const wasm = join(dirname(require.resolve('tree-sitter-bicep/package.json')), 'tree-sitter-bicep.wasm');
  parser = new Parser();
  parser.setLanguage(await Language.load(readFileSync(wasm)));
});

const rootOf = (text: string): Node => parser.parse(text)!.rootNode;

const resourcesOf = (files: ReadonlyMap<string, string>): readonly Resource[] =>
  [...files].flatMap(([file, text]) =>
    rootOf(text)
      .descendantsOfType('resource_declaration')
      .map((node) => ({
        file,
        name: node.descendantsOfType('identifier')[0]!.text,
        type: node.descendantsOfType('string')[0]!.text.slice(1, -1).split('@')[0]!,
        text: node.text,
      })),
  );

const ROLES: Readonly<Record<string, string>> = {
  '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39': 'Azure Service Bus Data Sender',
  '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0': 'Azure Service Bus Data Receiver',
  '4633458b-17de-408a-b874-0445c86b69e6': 'Key Vault Secrets User',
};
const GUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

function bicepProblems(files: ReadonlyMap<string, string>): readonly string[] {
  const resources = resourcesOf(files);
  const all = [...files.values()].join('\n');
  const ofType = (type: string): readonly Resource[] => resources.filter((resource) => resource.type === type);
  const demand = (problem: string, holds: boolean): readonly string[] => (holds ? [] : [problem]);
  const has = (type: string, ...lines: readonly string[]) =>
    ofType(type).flatMap(({ name, text }) =>
      lines.flatMap((line) => demand(`${name}: expected ${line}`, text.includes(line))),
    );
  const assigned = (variable: string, scope: RegExp) =>
    ofType('Microsoft.Authorization/roleAssignments')
      .filter(({ text }) => text.includes(`roleDefinitionId: ${variable}\n`))
      .flatMap(({ name, text }) => demand(`${name}: ${variable} for more than it needs`, scope.test(text)));
  return [
    ...[...files].flatMap(([file, text]) => demand(`${file}: cannot be parsed`, !rootOf(text).hasError)),
    ...(all.match(GUID) ?? [])
      .filter((guid) => !(guid in ROLES))
      .map((guid) => `${guid}: a role that nobody should have`),
    ...ofType('Microsoft.Authorization/roleAssignments').flatMap(({ name, text }) =>
      demand(
        `${name}: for the whole group`,
        /^ {2}scope: (topic\[|subscription\[|namespace$|vault$|certificate\[)/m.test(text),
      ),
    ),
    ...assigned('dataSender', /^ {2}scope: topic\[/m),
    ...assigned('dataReceiver', /^ {2}scope: subscription\[/m),
    ...has('Microsoft.Authorization/roleDefinitions', 'dataActions: []', "type: 'CustomRole'"),
    ...ofType('Microsoft.Authorization/roleDefinitions').flatMap(({ name, text }) =>
      (text.match(/'Microsoft\.[^']*\/[^']*'/g) ?? [])
        .filter((action) => !/\/read'$|@/.test(action))
        .map((action) => `${name}: may do more than read: ${action}`),
    ),
    ...has(
      'Microsoft.ServiceBus/namespaces',
      'disableLocalAuth: true',
      "publicNetworkAccess: 'Disabled'",
      "minimumTlsVersion: '1.2'",
    ),
    ...has('Microsoft.ServiceBus/namespaces/topics', 'requiresDuplicateDetection: true', 'enablePartitioning: false'),
    ...has(
      'Microsoft.KeyVault/vaults',
      'enableRbacAuthorization: true',
      'enablePurgeProtection: true',
      "publicNetworkAccess: 'Disabled'",
    ),
    ...['Microsoft.ServiceBus/namespaces', 'Microsoft.KeyVault/vaults'].flatMap((type) =>
      ofType(type).flatMap(({ file, name }) => [
        ...demand(
          `${name}: no private endpoint`,
          ofType('Microsoft.Network/privateEndpoints').some(({ text }) =>
            text.includes(`privateLinkServiceId: ${name}.id`),
          ),
        ),
        ...demand(
          `${name}: no diagnostic logs`,
          ofType('Microsoft.Insights/diagnosticSettings').some(
            (logs) => logs.file === file && logs.text.includes(`scope: ${name}\n`),
          ),
        ),
      ]),
    ),
    ...demand('a key or a connection string', !/listKeys|listSecrets|SharedAccess|connectionString/i.test(all)),
    ...demand(
      'a part of the topology beside its one declaration',
      !/'(datapump-(outbox|events|validation)|payments|fetcher)/.test(all),
    ),
  ];
}

it('the templates keep to their rules (parsed, not compiled)', () => {
  expect(resourcesOf(texts).length).toBeGreaterThan(20);
  expect(bicepProblems(texts)).toEqual([]);
});

it.each<[string, string, string, string]>([
  ['a slip of the syntax', 'bus.bicep', "  sku: {\n    name: 'Premium'", "  sku: \n    name: 'Premium'"],
  ['keys', 'bus.bicep', 'disableLocalAuth: true', 'disableLocalAuth: false'],
  ['the public network', 'vault.bicep', "publicNetworkAccess: 'Disabled'", "publicNetworkAccess: 'Enabled'"],
  ['the Data Owner', 'bus.bicep', '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39', '090c5cfd-751d-490a-894a-3ce6f1109419'],
  ['sending to the whole namespace', 'bus.bicep', 'scope: topic[indexOf(topicNames, each.topic)]', 'scope: namespace'],
  [
    'receiving from a whole topic',
    'bus.bicep',
    "scope: subscription[indexOf(subscriptionNames, '${each.topic}/${each.subscription}')]",
    'scope: topic[0]',
  ],
  [
    'a right to the whole group',
    'vault.bicep',
    '  scope: vault\n  properties: {\n    roleDef',
    '  properties: {\n    roleDef',
  ],
  ['a reader who writes', 'bus.bicep', "'Microsoft.ServiceBus/namespaces/topics/read'", "'Microsoft.ServiceBus/*'"],
  ['no logs', 'vault.bicep', "  name: 'datapump'\n  scope: vault", "  name: 'datapump'\n  scope: endpoint"],
  ['no endpoint', 'bus.bicep', 'privateLinkServiceId: namespace.id', 'privateLinkServiceId: endpointSubnetId'],
  ['a topic named beside the declaration', 'bus.bicep', 'name: each.name', "name: 'datapump-events'"],
])('the rules see %s', (_, file, from, to) => {
  expect(texts.get(file)).toContain(from);
  expect(bicepProblems(new Map([...texts, [file, texts.get(file)!.replace(from, to)]]))).not.toEqual([]);
});

type Template = ReturnType<typeof busTemplate>;
const template = JSON.parse(readFileSync(join(FOLDER, 'bus.json'), 'utf8')) as Template;
const topologyOf = (settings: Settings): TopologySettings => createContainer(settings, 'test').get(TOKENS.topology);

function defaults(): Settings {
  const loaded = loadSettings({ environment: {} });
  if ('problems' in loaded) throw new Error('the defaults are wrong');
  return loaded.settings;
}

it('bus.json is what the declarations print: npm run bus:template', () => {
  expect(template).toEqual(busTemplate(topologyOf(defaults())));
});

/** The namespace as the resource manager makes it of the template. */
const made = (from: Template): readonly ExistingTopic[] =>
  from.topics.map(({ name, duplicateDetection, timeToLive }) => ({
    name,
    partitioned: false,
    duplicateDetectionWindowMs: msOfIsoDuration(duplicateDetection)!,
    timeToLiveMs: msOfIsoDuration(timeToLive),
    subscriptions: from.subscriptions
      .filter(({ topic }) => topic === name)
      .map(({ name: subscription, lock, deliveriesMax, filter }) => ({
        name: subscription,
        lockMs: msOfIsoDuration(lock),
        deliveryCountMax: deliveriesMax,
        rules: [{ name: '$Default', sql: filter }],
      })),
  }));

it('`topology` has nothing left to do in a namespace that the template made', () => {
  const declared = declareTopology(topologyOf(defaults()));
  expect(planTopology(declared, made(template), { partitioned: false })).toEqual([]);
  const open = structuredClone(template);
  open.subscriptions[1]!.filter = '1=1';
  expect(planTopology(declared, made(open), { partitioned: false }).map(({ kind }) => kind)).toEqual([
    'create-rule',
    'by-hand',
  ]);
});

it('the embedded bus has every subscription of the template, and no other', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'datapump-bicep-'));
  const bus = new SqliteMessageBus({
    path: join(folder, 'bus.sqlite'),
    topology: declareTopology(topologyOf(defaults())),
  });
  try {
    for (const { topic, name } of template.subscriptions)
      expect(await bus.depth({ topic, subscription: name })).toMatchObject({ active: 0 });
    await expect(bus.depth({ topic: template.topics[0]!.name, subscription: 'another' })).rejects.toThrow();
  } finally {
    await bus.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

it('nobody may more on the bus than to send to a declared topic and to receive from a declared subscription', () => {
  const subscriptions = template.subscriptions.map(({ topic, name }) => `${topic}/${name}`);
  expect(template.senders.filter(({ topic }) => !template.topics.some(({ name }) => name === topic))).toEqual([]);
  expect(
    template.receivers.filter(({ topic, subscription }) => !subscriptions.includes(`${topic}/${subscription}`)),
  ).toEqual([]);
  const receivedBy = (wanted: string) =>
    template.receivers.flatMap(({ service, subscription }) => (service === wanted ? [subscription] : []));
  expect(receivedBy('consumer-payments')).toEqual(['payments']);
  expect(receivedBy('set-up')).toEqual([]);
});

it.each(overlays)('the parameters of %s are those that the template prints', (overlay) => {
  const text = readFileSync(join(ROOT, 'deploy/kubernetes/overlays', overlay, 'parameters.yaml'), 'utf8');
  const { data } = parse(text) as { data: object };
  expect(Object.keys(data).sort()).toEqual(
    [...template.services, 'scaling', 'certificates', 'tenantId', 'vaultName'].sort(),
  );
});

const kustomize = kustomizeOfThisMachine();
if (kustomize === undefined) {
  it.skip('template and manifests agree (not run: neither kustomize nor kubectl with kustomize 5 or newer is on this machine)', () =>
    undefined);
} else {
  it.each(overlays)('template and manifests of %s agree on the topology and on who is who', (overlay) => {
    const manifests = render(kustomize, overlay);
    expect(busTemplate(topologyOf(settingsOf(manifests)))).toEqual(template);
    expect(
      ofKind(manifests, 'ServiceAccount')
        .map(({ metadata }) => metadata.name)
        .sort(),
    ).toEqual(template.services.map((service) => `datapump-${service}`).sort());
  });
}
