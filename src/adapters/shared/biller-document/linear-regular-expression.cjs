'use strict';
/*
 * Plain JavaScript, since worker threads load it as it lies here, in src as in dist.
 *
 * JSONata's `RegexEngine`: made of the RegExp that its parser read, it needs `exec` and `lastIndex` and no more. RE2
 * takes a time that grows with the length of the text alone, whatever the pattern; what cannot be had so (references
 * back, looking ahead and behind) it refuses.
 */
const { RE2JS } = require('re2js');

const KEPT_MAX = 512;
/** @type {Map<string, import('re2js').RE2JS>} */
const kept = new Map();

/** Throws where the pattern cannot be matched in linear time. */
function compiled(source, flags) {
  const key = `${flags}/${source}`;
  const known = kept.get(key);
  if (known) return known;
  // RE2 would take it for the letter k.
  if (/(^|[^\\])(\\\\)*\\k/.test(source)) throw new SyntaxError('`\\k` refers back to a group');
  const made = RE2JS.compile(
    RE2JS.translateRegExp(source),
    (flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0) | (flags.includes('m') ? RE2JS.MULTILINE : 0),
  );
  if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value);
  kept.set(key, made);
  return made;
}

class LinearRegularExpression {
  constructor({ source, flags }) {
    this.pattern = compiled(source, flags);
    this.lastIndex = 0;
  }

  exec(text) {
    const matcher = this.pattern.matcher(text);
    if (this.lastIndex > text.length || !matcher.find(this.lastIndex)) {
      this.lastIndex = 0;
      return null;
    }
    const match = Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? undefined);
    match.index = matcher.start();
    this.lastIndex = matcher.end();
    return match;
  }
}

module.exports = { LinearRegularExpression };
