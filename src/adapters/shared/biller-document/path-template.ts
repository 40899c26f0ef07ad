/** Literal text with `{dotted.path}` placeholders. */
export type PathTemplate = readonly (string | { readonly path: readonly string[] })[];

const PLACEHOLDER = /\{([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)\}/g;

export function parsePathTemplate(text: string): PathTemplate {
  const parts: (string | { path: readonly string[] })[] = [];
  let from = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push({ path: match[1]!.split('.') });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  if (parts.some((part) => typeof part === 'string' && /[{}]/.test(part))) {
    throw new SyntaxError('a placeholder must look like {record.dpId}; a brace stands alone');
  }
  return parts;
}

/** What is wrong with the fixed text of a path: it would not arrive as it stands here. Undefined where nothing is. */
export function fixedTextProblem(text: string): string | undefined {
  const fixed = text.replace(PLACEHOLDER, 'x');
  if (/%(?![0-9a-f]{2})/i.test(fixed)) return 'two hexadecimal digits were expected after each %';
  if (fixed.includes('\\')) return 'a path without a backslash was expected';
  const steps = fixed.replace(/\?.*$/s, '').replace(/%2e/gi, '.').split('/');
  return steps.some((step) => step === '.' || step === '..')
    ? 'a path without the steps . and .. was expected: they lead away from BaseUrl'
    : undefined;
}

/**
 * Every value is URL-encoded, so no data can add a path segment or a query member; `.` and `..` would change the path
 * even when encoded and are refused. Throws where a placeholder finds no text, number or boolean.
 */
export function renderPath(template: PathTemplate, context: object): string {
  return template
    .map((part) => {
      if (typeof part === 'string') return part;
      let value: unknown = context;
      for (const name of part.path) {
        value =
          typeof value === 'object' && value !== null && Object.hasOwn(value, name)
            ? (value as Record<string, unknown>)[name]
            : undefined;
      }
      const text =
        typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
      if (text === '' || text === '.' || text === '..')
        throw new TypeError(`the placeholder {${part.path.join('.')}} found no usable value`);
      return encodeURIComponent(text);
    })
    .join('');
}
