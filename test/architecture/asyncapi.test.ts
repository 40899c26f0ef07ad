import { schemas } from '@asyncapi/specs';
import Ajv from 'ajv';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { declareTopology } from '../../src/application/messaging/topology';
import { DEFAULT_SUBSCRIPTIONS } from '../../src/bootstrap/configuration/subscriptions-setting';
import { CONTRACTS, schemaFiles } from './contract-schemas';

const document = parse(readFileSync(join(CONTRACTS, 'asyncapi.yaml'), 'utf8')) as {
  channels: Record<string, { address: string }>;
  components: { messages: Record<string, { payload: { $ref: string } }> };
};
// The schema brings its own copy of the draft-07 meta schema, which collides with Ajv's; it uses keywords and formats of its own.
const isAsyncApi = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false }).compile(
  schemas['3.0.0'] as object,
);

it('is a valid AsyncAPI 3.0 document', () => {
  isAsyncApi(document);
  expect(isAsyncApi.errors ?? []).toEqual([]);
});

it.each<[string, (broken: typeof document) => void]>([
  [
    'an operation without action',
    (broken) =>
      Reflect.deleteProperty(
        (broken as unknown as { operations: { publishChunk: object } }).operations.publishChunk,
        'action',
      ),
  ],
  ['a channel with an unknown member', (broken) => Object.assign(broken.channels['outbox']!, { adress: 'x' })],
  ['another version', (broken) => Object.assign(broken, { asyncapi: '2.0.0' })],
])('the check refuses %s', (_, breakIt) => {
  const broken = structuredClone(document);
  breakIt(broken);
  expect(isAsyncApi(broken)).toBe(false);
});

it('has a channel for every topic that the code declares', () => {
  const topics = declareTopology({
    eventsTopic: 'datapump-events',
    subscriptions: DEFAULT_SUBSCRIPTIONS,
    lockMs: 1,
    deliveryCountMax: 1,
    duplicateDetectionWindowMs: 1,
  });
  expect(
    Object.values(document.channels)
      .map(({ address }) => address)
      .sort(),
  ).toEqual(topics.map(({ name }) => name).sort());
});

it('refers to every message schema, and every file reference leads to a file', () => {
  const payloads = Object.values(document.components.messages).map(({ payload }) => payload.$ref);
  expect(payloads.map((path) => path.replace('./messages/', '')).sort()).toEqual([...schemaFiles('messages')].sort());
  const references = JSON.stringify(document)
    .match(/"\$ref":"\.[^"#]*/g)!
    .map((found) => found.slice('"$ref":"'.length));
  expect(references.length).toBeGreaterThan(payloads.length);
  for (const path of references) expect([path, existsSync(join(CONTRACTS, path))]).toEqual([path, true]);
});

it('every internal reference leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!);
  expect(references.length).toBeGreaterThan(5);
  for (const path of references) {
    const target = path
      .split('/')
      .reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], document);
    expect([path, typeof target]).toEqual([path, 'object']);
  }
});
