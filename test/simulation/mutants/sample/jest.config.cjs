const usual = require('../../../../jest.config.js');

/** @type {import('jest').Config} */
module.exports = {
  ...usual,
  rootDir: '../../../..',
  transform: { '^.+\\.ts$': '<rootDir>/test/simulation/mutants/sample/mutated-transform.cjs' },
  testEnvironment: '<rootDir>/test/simulation/mutants/sample/first-failure-environment.cjs',
  testSequencer: '<rootDir>/test/simulation/mutants/sample/quickest-first.cjs',
  maxWorkers: 1,
  // A test that failed may leave open what it opened.
  forceExit: true,
};
