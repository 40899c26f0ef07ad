/** The functions that JSONata 2 brings, without those that would give other bytes each time; a test asks JSONata itself. */
export const FUNCTIONS: ReadonlySet<string> = new Set([
  'sum', 'count', 'max', 'min', 'average', 'string', 'substring', 'substringBefore', 'substringAfter', 'lowercase',
  'uppercase', 'length', 'trim', 'pad', 'match', 'contains', 'replace', 'split', 'join', 'formatNumber', 'formatBase',
  'formatInteger', 'parseInteger', 'number', 'floor', 'ceil', 'round', 'abs', 'sqrt', 'power', 'boolean', 'not', 'map',
  'zip', 'filter', 'single', 'reduce', 'sift', 'keys', 'lookup', 'append', 'exists', 'spread', 'merge', 'reverse', 'each',
  'error', 'assert', 'type', 'sort', 'distinct', 'base64encode', 'base64decode', 'encodeUrlComponent', 'encodeUrl',
  'decodeUrlComponent', 'decodeUrl', 'toMillis', 'fromMillis', 'clone',
]); // prettier-ignore

/** They ask whether something is there: naming a value in them does not need it. */
export const EXISTENCE_TESTS: ReadonlySet<string> = new Set(['exists', 'boolean', 'not']);

/** They call their function with the items of their first argument; a single value is its own item. */
export const OVER_ITEMS: ReadonlySet<string> = new Set(['map', 'filter', 'single', 'sort']);
