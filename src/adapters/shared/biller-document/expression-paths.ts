import { nearestName } from './nearest-name';
import { EXISTENCE_TESTS, FUNCTIONS, OVER_ITEMS } from './expression-functions';
import { ANY, pathsIn, type Shape, shapeOf } from './expression-shapes';

/** A node of JSONata's syntax tree (`expression.ast()`, jsonata 2.2); which members a node has, its type says. */
export interface ExpressionNode {
  readonly type?: string;
  readonly value?: unknown;
  readonly position?: number;
  readonly steps?: readonly ExpressionNode[];
  readonly stages?: readonly ExpressionNode[];
  readonly predicate?: readonly ExpressionNode[];
  readonly group?: { readonly lhs: readonly Pair[] };
  readonly expr?: ExpressionNode;
  readonly focus?: string;
  readonly index?: string;
  readonly terms?: readonly { readonly expression: ExpressionNode }[];
  readonly lhs?: unknown;
  readonly rhs?: unknown;
  readonly expression?: ExpressionNode;
  readonly expressions?: readonly ExpressionNode[];
  readonly procedure?: ExpressionNode;
  readonly arguments?: readonly ExpressionNode[];
  readonly body?: ExpressionNode;
  readonly condition?: ExpressionNode;
  readonly then?: ExpressionNode;
  readonly else?: ExpressionNode;
  readonly pattern?: ExpressionNode;
  readonly update?: ExpressionNode;
  readonly delete?: ExpressionNode;
}
export type Pair = readonly [ExpressionNode, ExpressionNode];

export interface ExpressionPaths {
  /** A sentence each: names that the context does not have, functions and variables that do not exist. */
  readonly problems: readonly string[];
  /** Dotted paths of the context's values that the expression needs, unknown ones among them. */
  readonly reads: ReadonlySet<string>;
  /** The same for one part of the expression, such as the value of a member. */
  readonly readsOf: ReadonlyMap<ExpressionNode, ReadonlySet<string>>;
  /** What is multiplied by a number, or divided by one. */
  readonly scaledByNumber: ReadonlySet<string>;
  readonly result: Shape;
}

/**
 * Follows an expression through its context without running it. Decided are: paths from the root (`$$`, `$` too),
 * through predicates, blocks, variables, object constructors, `@` and `#`, sort terms, `$lookup` with literal text, and
 * the items that `$map`, `$filter`, `$single` and `$sort` hand to their function. What it cannot decide (wildcards,
 * parents, what functions give back, the body of an answer) may be anything and is never a problem.
 */
export function expressionPaths(tree: unknown, context: object): ExpressionPaths {
  const walk = new Walk(shapeOf(context));
  const result = walk.value(tree as ExpressionNode, walk.outermost);
  const { reads, readsOf, scaledByNumber } = walk;
  return { problems: [...new Set(walk.problems)], reads, readsOf, scaledByNumber, result };
}

const SCALING = new Set(['*', '/', '%']);

interface Scope {
  readonly input: Shape;
  readonly variables: Map<string, Shape>;
}

class Walk {
  readonly problems: string[] = [];
  readonly scaledByNumber = new Set<string>();
  readonly readsOf = new Map<ExpressionNode, ReadonlySet<string>>();
  reads = new Set<string>();
  readonly outermost: Scope;

  constructor(private readonly root: Shape) {
    this.outermost = { input: root, variables: new Map() };
  }

  /** The node's value is needed: everything of the context that it holds is read. */
  value(node: ExpressionNode, scope: Scope): Shape {
    const shape = this.shape(node, scope);
    this.need(shape);
    return shape;
  }

  private need(shape: Shape): void {
    for (const path of pathsIn(shape)) this.reads.add(path);
  }

  private shape(node: ExpressionNode, scope: Scope): Shape {
    let shape = this.ungrouped(node, scope);
    if (node.type === 'path') return shape;
    for (const { expr } of node.predicate ?? []) this.filter(expr!, { ...scope, input: shape });
    if (node.group) shape = this.pairs(node.group.lhs, { ...scope, input: shape });
    return shape;
  }

  private ungrouped(node: ExpressionNode, scope: Scope): Shape {
    switch (node.type) {
      case 'path':
        return this.path(node, scope);
      case 'variable':
        return this.variable(node, scope);
      case 'binary':
        return this.binary(node, scope);
      case 'unary':
        return this.unary(node, scope);
      case 'condition': {
        this.shape(node.condition!, scope);
        const then = this.value(node.then!, scope);
        const otherwise = node.else && this.value(node.else, scope);
        return otherwise === undefined ? then : ANY;
      }
      case 'block': {
        const inner = { ...scope, variables: new Map(scope.variables) };
        return (node.expressions ?? []).reduce<Shape>((_, one) => this.shape(one, inner), ANY);
      }
      case 'bind': {
        const name = String((node.lhs as ExpressionNode).value);
        // A function may call itself.
        scope.variables.set(name, ANY);
        const bound = this.shape(node.rhs as ExpressionNode, scope);
        scope.variables.set(name, bound);
        return bound;
      }
      case 'lambda':
        this.lambda(node, scope, []);
        return ANY;
      case 'function':
      case 'partial':
        return this.call(node, scope);
      case 'apply':
        this.value(node.lhs as ExpressionNode, scope);
        this.value(node.rhs as ExpressionNode, scope);
        return ANY;
      case 'transform':
        for (const part of [node.pattern, node.update, node.delete])
          if (part) this.value(part, { ...scope, input: ANY });
        return ANY;
      case 'wildcard':
      case 'descendant':
        this.need(scope.input);
        return ANY;
      default:
        return ANY;
    }
  }

  private path(node: ExpressionNode, scope: Scope): Shape {
    const inner = { ...scope, variables: new Map(scope.variables) };
    let at = scope.input;
    (node.steps ?? []).forEach((step, index) => {
      const before = at;
      at = this.step(step, at, inner, index === 0);
      if (step.focus !== undefined) {
        inner.variables.set(step.focus, at);
        at = before;
      }
      if (step.index !== undefined) inner.variables.set(step.index, ANY);
      for (const stage of [...(step.stages ?? []), ...(step.predicate ?? [])]) {
        if (stage.type === 'index') inner.variables.set(String(stage.value), ANY);
        else this.filter(stage.expr!, { ...inner, input: at });
      }
      if (step.group) at = this.pairs(step.group.lhs, { ...inner, input: at });
    });
    return node.group ? this.pairs(node.group.lhs, { ...inner, input: at }) : at;
  }

  /** `customer["name"]` reads like a member in other languages; here it is a condition that holds for every text. */
  private filter(condition: ExpressionNode, scope: Scope): void {
    if (condition.type === 'string' || condition.type === 'value') {
      const literal = JSON.stringify(condition.value);
      this.problems.push(`a condition or a number was expected in [${literal}], which keeps or drops everything alike`);
    }
    this.shape(condition, scope);
  }

  private step(step: ExpressionNode, at: Shape, scope: Scope, first: boolean): Shape {
    if (step.type === 'name') return this.member(at, String(step.value));
    if (step.type === 'sort') {
      for (const { expression } of step.terms ?? []) this.value(expression, { ...scope, input: at });
      return at;
    }
    // A function in a path may take its argument from there: customer.name.$uppercase().
    if (!first && at.kind === 'value') this.need(at);
    return this.ungrouped(step, { ...scope, input: at });
  }

  private member(of: Shape, name: string): Shape {
    if (of.kind === 'any') return ANY;
    if (of.kind === 'names') {
      if (/[A-Z]/.test(name)) this.problems.push(`headers.${name}: header names are in lower case`);
      return ANY;
    }
    if (of.kind === 'value') return this.unknown(`${of.path}.${name}`, `${of.path} is a value without members`);
    const found = Object.hasOwn(of.members, name) ? of.members[name] : undefined;
    if (found !== undefined) return found;
    if (of.path === undefined) return this.unknown(undefined, `the object made here has no member ${name}`);
    const under = of.path === '' ? '' : `${of.path}.`;
    const siblings = nearestName(name, Object.keys(of.members));
    const near = siblings === undefined ? nearestName(name, pathsIn(this.root)) : `${under}${siblings}`;
    return this.unknown(
      `${under}${name}`,
      `${under}${name} is not in the context${near === undefined ? '' : `; did you mean ${near}?`}`,
    );
  }

  private unknown(path: string | undefined, problem: string): Shape {
    this.problems.push(problem);
    if (path !== undefined) this.reads.add(path);
    return ANY;
  }

  private variable(node: ExpressionNode, scope: Scope): Shape {
    const name = String(node.value);
    if (name === '') return scope.input;
    if (name === '$') return this.root;
    const bound = scope.variables.get(name);
    if (bound !== undefined) return bound;
    if (!FUNCTIONS.has(name)) {
      const near = nearestName(name, [...FUNCTIONS, ...scope.variables.keys()]);
      this.problems.push(
        `$${name} is neither a function nor a variable set before${near === undefined ? '' : `; did you mean $${near}?`}`,
      );
    }
    return ANY;
  }

  private binary(node: ExpressionNode, scope: Scope): Shape {
    for (const side of [node.lhs, node.rhs] as readonly ExpressionNode[]) {
      if (node.value === 'and' || node.value === 'or') this.shape(side, scope);
      else this.part(side, scope);
    }
    if (SCALING.has(String(node.value))) this.scaled(node.lhs as ExpressionNode, node.rhs as ExpressionNode);
    return ANY;
  }

  private scaled(...sides: readonly ExpressionNode[]): void {
    if (!sides.some(({ type }) => type === 'number')) return;
    for (const path of sides.flatMap((side) => [...this.readsOf.get(side)!])) this.scaledByNumber.add(path);
  }

  private unary(node: ExpressionNode, scope: Scope): Shape {
    if (node.value === '{') return this.pairs(node.lhs as readonly Pair[], scope);
    if (node.expression) this.value(node.expression, scope);
    for (const item of node.expressions ?? []) this.part(item, scope);
    return ANY;
  }

  private pairs(pairs: readonly Pair[], scope: Scope): Shape {
    const members: Record<string, Shape> = Object.create(null) as Record<string, Shape>;
    let open = false;
    for (const [key, value] of pairs) {
      this.value(key, scope);
      const shape = this.part(value, scope);
      if (key.type !== 'string') open = true;
      else {
        const name = String(key.value);
        if (name in members) this.problems.push(`the member ${name} stands twice in one object`);
        members[name] = shape;
      }
    }
    return open || scope.input.kind === 'any' ? ANY : { kind: 'object', path: undefined, members };
  }

  /** A value whose own reads are wanted beside those of the whole. */
  private part(node: ExpressionNode, scope: Scope): Shape {
    const outer = this.reads;
    this.reads = new Set();
    const shape = this.value(node, scope);
    this.readsOf.set(node, this.reads);
    for (const path of this.reads) outer.add(path);
    this.reads = outer;
    return shape;
  }

  private lambda(node: ExpressionNode, scope: Scope, given: readonly Shape[]): void {
    const variables = new Map(scope.variables);
    (node.arguments ?? []).forEach((parameter, index) => variables.set(String(parameter.value), given[index] ?? ANY));
    this.value(node.body!, { ...scope, variables });
  }

  private call(node: ExpressionNode, scope: Scope): Shape {
    const { procedure, arguments: given = [] } = node;
    if (procedure) this.shape(procedure, scope);
    const name = procedure?.type === 'variable' ? String(procedure.value) : '';
    const builtIn = FUNCTIONS.has(name) && !scope.variables.has(name);
    if (builtIn && EXISTENCE_TESTS.has(name)) {
      for (const one of given) this.shape(one, scope);
      return ANY;
    }
    const [first, second] = given;
    if (builtIn && name === 'lookup' && first && second?.type === 'string')
      return this.member(this.shape(first, scope), String(second.value));
    const item = first === undefined ? ANY : this.value(first, scope);
    for (const one of given.slice(1)) {
      if (one.type !== 'lambda') this.value(one, scope);
      else if (builtIn && OVER_ITEMS.has(name)) this.lambda(one, scope, name === 'sort' ? [item, item] : [item]);
      else this.lambda(one, scope, []);
    }
    return ANY;
  }
}
