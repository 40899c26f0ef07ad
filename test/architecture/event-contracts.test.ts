import { compileContracts, readJson, schemaFiles } from './contract-schemas';
import { readEventShapes, type Shape } from './event-shapes';

const { check, schema } = compileContracts();
const text: Shape = { kind: 'text' };
const member = (shape: Shape) => ({ shape, required: true, description: '' });

/** Written by the adapter that keeps profile versions; the document is whatever the profile file held. */
const PROFILE_REGISTERED: Shape = {
  kind: 'object',
  members: { version: member({ kind: 'id' }), document: member({ kind: 'object', members: {} }) },
};

/** Written by the adapter of EventStoreDB, which has no other place for it. */
const STORE_IDENTIFIED: Shape = { kind: 'object', members: { identity: member(text) } };

const shapes = new Map<string, Shape>([
  ['EventStoreIdentified', STORE_IDENTIFIED],
  ['BillerProfileRegistered', PROFILE_REGISTERED],
  ...readEventShapes(`${__dirname}/../..`),
]);
const fileOf = (type: string): string => `events/${type}.v1.schema.json`;

/** The schema with its references followed, as a shape: limits and descriptions are beyond what types can say. */
function shapeOf(node: Record<string, unknown>): unknown {
  const reference = typeof node['$ref'] === 'string' ? node['$ref'].split('/').at(-1)! : undefined;
  if (reference === 'id') return { kind: 'id' };
  if (reference === 'chunkId') return { kind: 'chunk-id' };
  if (reference === 'instant') return { kind: 'instant' };
  if (reference)
    return shapeOf(
      (readJson('definitions.v1.schema.json') as { definitions: Record<string, Record<string, unknown>> }).definitions[
        reference
      ]!,
    );
  if (Array.isArray(node['allOf'])) return shapeOf(node['allOf'][0] as Record<string, unknown>);
  if (Array.isArray(node['enum'])) return { kind: 'choice', values: [...(node['enum'] as string[])].sort() };
  switch (node['type']) {
    case 'string':
      return text;
    case 'integer':
    case 'number':
      return { kind: 'number' };
    case 'boolean':
      return { kind: 'flag' };
    case 'array':
      return { kind: 'list', items: shapeOf(node['items'] as Record<string, unknown>) };
    case 'object': {
      const required = (node['required'] ?? []) as string[];
      const members = Object.entries((node['properties'] ?? {}) as Record<string, Record<string, unknown>>);
      return {
        kind: 'object',
        members: Object.fromEntries(
          members.map(([name, value]) => [name, { shape: shapeOf(value), required: required.includes(name) }]),
        ),
      };
    }
    default:
      return { kind: 'any' };
  }
}

/** The code's shape without descriptions, for comparison. */
function bare(shape: Shape): unknown {
  if (shape.kind === 'list') return { kind: 'list', items: bare(shape.items) };
  if (shape.kind !== 'object') return shape;
  return {
    kind: 'object',
    members: Object.fromEntries(
      Object.entries(shape.members).map(([name, { shape: inner, required }]) => [
        name,
        { shape: bare(inner), required },
      ]),
    ),
  };
}

/** A value of this shape, with every member or only with the required ones. */
function sample(shape: Shape, whole: boolean): unknown {
  switch (shape.kind) {
    case 'text':
      return 'any text';
    case 'id':
      return 'id-1';
    case 'chunk-id':
      return 'chunk:1';
    case 'instant':
      return '2026-11-20T08:00:00.000Z';
    case 'number':
      return 7;
    case 'flag':
      return true;
    case 'any':
      return {};
    case 'choice':
      return shape.values[0];
    case 'list':
      return [sample(shape.items, whole)];
    case 'object':
      return Object.fromEntries(
        Object.entries(shape.members)
          .filter(([, { required }]) => whole || required)
          .map(([name, inner]) => [name, sample(inner.shape, whole)]),
      );
  }
}

it('every event type of the code has a schema file, and every schema file an event type', () => {
  expect(shapes.size).toBeGreaterThan(30);
  expect(
    schemaFiles('events')
      .map((name) => name.replace('.v1.schema.json', ''))
      .sort(),
  ).toEqual([...shapes.keys()].sort());
});

describe.each([...shapes])('contract of the event %s', (type, shape) => {
  const event = (data: unknown) => ({ type, data });

  it('names the same members, kinds and choices as the code', () => {
    const { properties } = schema(fileOf(type));
    expect(shapeOf(properties['data'] as Record<string, unknown>)).toEqual(bare(shape));
    expect(properties['type']).toEqual({ const: type });
    expect(schema(fileOf(type)).title).toBe(type);
  });

  it('takes what the code writes, whole, with the required members alone, and with members added later', () => {
    for (const data of [
      sample(shape, true),
      sample(shape, false),
      { ...(sample(shape, true) as object), addedLater: 1 },
    ]) {
      expect([data, check(fileOf(type))(event(data))]).toEqual([data, true]);
    }
  });

  it('refuses a missing required member, a member of another kind, and another type', () => {
    if (shape.kind !== 'object') throw new Error(`${type} holds no object`);
    const data = sample(shape, true) as Record<string, unknown>;
    for (const [name, { shape: inner, required }] of Object.entries(shape.members)) {
      const { [name]: _, ...rest } = data;
      expect([name, 'missing', check(fileOf(type))(event(rest))]).toEqual([name, 'missing', !required]);
      const wrong =
        inner.kind === 'number' || inner.kind === 'flag' || inner.kind === 'object' || inner.kind === 'list'
          ? 'text'
          : 7;
      expect([name, 'wrong', check(fileOf(type))(event({ ...data, [name]: wrong }))]).toEqual([name, 'wrong', false]);
      expect([name, 'null', check(fileOf(type))(event({ ...data, [name]: null }))]).toEqual([name, 'null', false]);
    }
    expect(check(fileOf(type))({ type: 'Another', data })).toBe(false);
    expect(check(fileOf(type))({ type })).toBe(false);
  });
});
