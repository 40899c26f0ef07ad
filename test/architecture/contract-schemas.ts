import Ajv, { type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const CONTRACTS = join(__dirname, '../../contracts');

export interface ContractSchema {
  readonly $id: string;
  readonly title: string;
  readonly examples?: readonly Record<string, unknown>[];
  readonly properties: Readonly<Record<string, unknown>>;
}

export const readJson = (path: string): unknown => JSON.parse(readFileSync(join(CONTRACTS, path), 'utf8'));
export const schemaFiles = (folder: 'messages' | 'events'): readonly string[] =>
  readdirSync(join(CONTRACTS, folder)).filter((name) => name.endsWith('.v1.schema.json'));

/** All schemas in one strict Ajv: a misspelt keyword or a reference to nothing throws. */
export function compileContracts(): {
  readonly schema: (path: string) => ContractSchema;
  readonly check: (path: string) => ValidateFunction;
} {
  const ajv = addFormats(new Ajv({ strict: true, allErrors: true, strictRequired: false }));
  ajv.addSchema(readJson('definitions.v1.schema.json') as object);
  const schemas = new Map<string, ContractSchema>();
  for (const folder of ['messages', 'events'] as const) {
    for (const name of schemaFiles(folder)) {
      const schema = readJson(`${folder}/${name}`) as ContractSchema;
      schemas.set(`${folder}/${name}`, schema);
      ajv.addSchema(schema);
    }
  }
  const schema = (path: string): ContractSchema => {
    const found = schemas.get(path);
    if (!found) throw new Error(`contracts/${path} does not exist`);
    return found;
  };
  return {
    schema,
    check: (path) => ajv.getSchema(schema(path).$id) as ValidateFunction,
  };
}
