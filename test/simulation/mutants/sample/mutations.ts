import ts from 'typescript';

/** What a careless hand does to a program that still runs. */
export const OPERATORS = [
  'negates a condition',
  'takes the other equality',
  'moves a boundary',
  'takes the other junction',
  'swaps the branches',
  'adds one to a number',
  'drops an await',
  'swaps two members',
  'swallows an error',
  'leaves a call out',
  'goes on after a return',
  'drops a fallback',
] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Mutation {
  readonly operator: Operator;
  readonly line: number;
  readonly from: number;
  readonly to: number;
  readonly replacement: string;
}

export const applied = (text: string, { from, to, replacement }: Mutation): string =>
  text.slice(0, from) + replacement + text.slice(to);

const OTHER: ReadonlyMap<ts.SyntaxKind, readonly [Operator, string]> = new Map([
  [ts.SyntaxKind.EqualsEqualsEqualsToken, ['takes the other equality', '!==']],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, ['takes the other equality', '===']],
  [ts.SyntaxKind.LessThanToken, ['moves a boundary', '<=']],
  [ts.SyntaxKind.LessThanEqualsToken, ['moves a boundary', '<']],
  [ts.SyntaxKind.GreaterThanToken, ['moves a boundary', '>=']],
  [ts.SyntaxKind.GreaterThanEqualsToken, ['moves a boundary', '>']],
  [ts.SyntaxKind.PlusToken, ['adds one to a number', '-']],
  [ts.SyntaxKind.MinusToken, ['adds one to a number', '+']],
  [ts.SyntaxKind.AmpersandAmpersandToken, ['takes the other junction', '||']],
  [ts.SyntaxKind.BarBarToken, ['takes the other junction', '&&']],
]);

/** Calls that only report: without them nothing moves otherwise. */
const REPORTS = /^(ports\.|this\.|options\.|world\.)?(telemetry|logger|log)\b/;

/** Every place of a source where an operator applies, in the order of the text. */
export function mutationsOf(text: string): readonly Mutation[] {
  const source = ts.createSourceFile('mutated.ts', text, ts.ScriptTarget.ES2022, true);
  const found: Mutation[] = [];
  const add = (operator: Operator, from: number, to: number, replacement: string): void => {
    found.push({ operator, line: source.getLineAndCharacterOfPosition(from).line + 1, from, to, replacement });
  };
  const instead = (operator: Operator, node: ts.Node, replacement: string): void =>
    add(operator, node.getStart(source), node.getEnd(), replacement);

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return;
    if (ts.isTypeAliasDeclaration(node)) return;
    if (ts.isIfStatement(node) && !node.elseStatement && REPORTS.test(node.thenStatement.getText(source))) return;
    if (ts.isIfStatement(node) || ts.isWhileStatement(node))
      instead('negates a condition', node.expression, `!(${node.expression.getText(source)})`);
    if (ts.isConditionalExpression(node)) {
      const [yes, no] = [node.whenTrue.getText(source), node.whenFalse.getText(source)];
      add('swaps the branches', node.whenTrue.getStart(source), node.whenFalse.getEnd(), `${no} : ${yes}`);
    }
    if (ts.isBinaryExpression(node)) {
      const other = OTHER.get(node.operatorToken.kind);
      const addsText = node.operatorToken.kind === ts.SyntaxKind.PlusToken && /['"`]/.test(node.getText(source));
      if (other && !addsText) instead(other[0], node.operatorToken, other[1]);
      if (node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken)
        instead('drops a fallback', node, node.left.getText(source));
    }
    if (ts.isNumericLiteral(node) && !ts.isEnumMember(node.parent) && !ts.isPropertyAccessExpression(node.parent))
      instead('adds one to a number', node, `${node.getText(source)} + 1`);
    if (ts.isAwaitExpression(node)) instead('drops an await', node, node.expression.getText(source));
    if (ts.isObjectLiteralExpression(node)) {
      const members = node.properties.filter(ts.isPropertyAssignment).map(({ initializer }) => initializer);
      for (let at = 0; at + 1 < members.length; at++) {
        const [one, two] = [members[at]!, members[at + 1]!];
        const between = text.slice(one.getEnd(), two.getStart(source));
        const swapped = two.getText(source) + between + one.getText(source);
        if (one.getText(source) !== two.getText(source))
          add('swaps two members', one.getStart(source), two.getEnd(), swapped);
      }
    }
    if (ts.isThrowStatement(node)) instead('swallows an error', node, '{}');
    if (ts.isExpressionStatement(node)) {
      const call = ts.isAwaitExpression(node.expression) ? node.expression.expression : node.expression;
      if (ts.isCallExpression(call) && !REPORTS.test(call.getText(source))) instead('leaves a call out', node, '{}');
    }
    if (ts.isReturnStatement(node) && ts.isBlock(node.parent) && ts.isIfStatement(node.parent.parent))
      instead('goes on after a return', node, '{}');
    if (ts.isReturnStatement(node) && ts.isIfStatement(node.parent)) instead('goes on after a return', node, '{}');
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return found;
}
