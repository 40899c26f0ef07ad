import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** What a stored value looks like according to the TypeScript types, in words that a JSON Schema can be compared with. */
export type Shape =
  | { readonly kind: 'text' | 'number' | 'flag' | 'id' | 'chunk-id' | 'instant' | 'any' }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | { readonly kind: 'list'; readonly items: Shape }
  | { readonly kind: 'object'; readonly members: Readonly<Record<string, Member>> };

export interface Member {
  readonly shape: Shape;
  readonly required: boolean;
  readonly description: string;
}

const IDS = new Set(['BillerId', 'DpId', 'PaymentId', 'CustomerId', 'ShardName', 'ProfileVersion']);

/** Every event of every union in the files that say `Stored for ever`, by its `type`, with the shape of its `data`. */
export function readEventShapes(root: string): ReadonlyMap<string, Shape> {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join(root, 'src', path))
    .filter((path) => readFileSync(path, 'utf8').includes('Stored for ever'));
  const program = ts.createProgram(files, {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: [],
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const shapes = new Map<string, Shape>();
  for (const file of files) {
    const source = program.getSourceFile(file)!;
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)) {
      if (!exported.name.endsWith('Event')) continue;
      const union = checker.getDeclaredTypeOfSymbol(exported);
      for (const event of union.isUnion() ? union.types : [union]) {
        const type = memberType(checker, event, 'type');
        if (!type.isStringLiteral()) throw new Error(`${file}: an event of ${exported.name} has no literal type`);
        shapes.set(type.value, shapeOf(checker, memberType(checker, event, 'data')));
      }
    }
  }
  return shapes;
}

function memberType(checker: ts.TypeChecker, type: ts.Type, name: string): ts.Type {
  const member = type.getProperty(name);
  if (!member) throw new Error(`${checker.typeToString(type)} has no member ${name}`);
  return checker.getTypeOfSymbol(member);
}

function shapeOf(checker: ts.TypeChecker, type: ts.Type): Shape {
  const name = type.aliasSymbol?.name ?? '';
  const brand = IDS.has(name)
    ? 'id'
    : name === 'ChunkId'
      ? 'chunk-id'
      : name === 'Instant'
        ? 'instant'
        : brandOf(checker, type);
  if (brand) return { kind: brand };
  if (type.flags & ts.TypeFlags.StringLike && !type.isStringLiteral()) return { kind: 'text' };
  if (type.flags & ts.TypeFlags.NumberLike) return { kind: 'number' };
  if (type.flags & ts.TypeFlags.BooleanLike) return { kind: 'flag' };
  if (type.flags & (ts.TypeFlags.Unknown | ts.TypeFlags.Any)) return { kind: 'any' };
  if (type.isStringLiteral()) return { kind: 'choice', values: [type.value] };
  if (type.isUnion()) {
    const values = type.types.filter((part) => part.isStringLiteral()).map((part) => part.value);
    if (values.length === type.types.length) return { kind: 'choice', values: values.sort() };
    throw new Error(`no shape for the union ${checker.typeToString(type)}`);
  }
  if (checker.isArrayType(type))
    return { kind: 'list', items: shapeOf(checker, checker.getTypeArguments(type as ts.TypeReference)[0]!) };
  const members: Record<string, Member> = {};
  for (const member of checker.getPropertiesOfType(type)) {
    members[member.name] = {
      shape: shapeOf(checker, checker.getNonNullableType(checker.getTypeOfSymbol(member))),
      required: !(member.flags & ts.SymbolFlags.Optional),
      description: ts.displayPartsToString(member.getDocumentationComment(checker)),
    };
  }
  return { kind: 'object', members };
}

/** A branded string loses its alias inside an optional member; the brand's own text still names it. */
function brandOf(checker: ts.TypeChecker, type: ts.Type): 'id' | 'chunk-id' | 'instant' | undefined {
  const brand = type.getProperty('__brand');
  if (!brand) return undefined;
  const text = checker.typeToString(checker.getTypeOfSymbol(brand)).replaceAll('"', '');
  if (text === 'Instant') return 'instant';
  return text === 'ChunkId' ? 'chunk-id' : 'id';
}
