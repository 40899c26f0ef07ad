/* What failed last time first, then the quickest: most defects fall to a suite of seconds. */
const { default: Sequencer } = require('@jest/test-sequencer');
const { statSync } = require('node:fs');

module.exports = class extends Sequencer {
  sort(tests) {
    const known = (test) => this._getCache(test)[test.path];
    const failed = (test) => (known(test)?.[0] === 0 ? 0 : 1);
    const cost = (test) => known(test)?.[1] ?? statSync(test.path).size;
    return [...tests].sort((a, b) => failed(a) - failed(b) || cost(a) - cost(b));
  }
};
