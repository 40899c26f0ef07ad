'use strict';
/*
 * Plain JavaScript, since worker threads load it as it lies here, in src as in dist.
 *
 * JSONata drops a member without a value. A guard names the place of a part in the syntax tree that must come to
 * something; here it is wrapped in a call that fails where it does not.
 */

/** Not a name that a profile could write: no function is called so, and unknown ones are refused. */
const GUARD = 'datapump_present';

/** Its message holds names of the profile and of the context, never data. */
class MissingValue extends TypeError {
  constructor(message) {
    super(message);
    this.name = 'MissingValue';
  }
}

function present(value, what) {
  if (value === undefined) throw new MissingValue(`${what} came to nothing`);
  if (typeof value === 'function') throw new MissingValue(`${what} is a function`);
  return value;
}

const call = (part, what) => ({
  type: 'function',
  value: '(',
  ...(part.position === undefined ? {} : { position: part.position }),
  procedure: { type: 'variable', value: GUARD },
  arguments: [part, { type: 'string', value: what }],
});

/** Inner places come before outer ones, or their paths would no longer lead there. */
function guardMembers(expression, guards) {
  if (guards.length === 0) return;
  const tree = expression.ast();
  for (const { path, what } of guards) {
    const last = path.length - 1;
    const holder = path.slice(0, last).reduce((node, name) => node[name], tree);
    holder[path[last]] = call(holder[path[last]], what);
  }
  expression.registerFunction(GUARD, present);
}

module.exports = { MissingValue, guardMembers };
