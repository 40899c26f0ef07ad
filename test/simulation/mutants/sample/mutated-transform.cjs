/* Jest's usual transformer, over the sources with one of them changed as DATAPUMP_MUTATION says. */
const { join } = require('node:path');
const swcJest = require('@swc/jest');
const { transform } = require('../../../../jest.config.js');

const root = join(__dirname, '../../../..');
const usual = swcJest.createTransformer(Object.values(transform)[0][1]);
const mutation = JSON.parse(process.env.DATAPUMP_MUTATION ?? 'null');
const mutated = (path) => mutation !== null && path === join(root, mutation.file);
const changed = (text, { from, to, replacement }) => text.slice(0, from) + replacement + text.slice(to);

module.exports = {
  ...usual,
  getCacheKey: (text, path, options) =>
    usual.getCacheKey(mutated(path) ? changed(text, mutation) : text, path, options),
  process: (text, path, options) => usual.process(mutated(path) ? changed(text, mutation) : text, path, options),
};
