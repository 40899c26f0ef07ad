/*
 * domain <- application <- adapters <- bootstrap; arrows point leftwards only.
 * tsPreCompilationDeps: type-only imports count too, or the rules would not see most of our imports.
 * test/architecture/dependency-rules.test.ts breaks each rule once and expects the error.
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    {
      name: 'domain-imports-nothing',
      severity: 'error',
      comment: 'The domain is values and pure functions: no package, no node:*, no other layer.',
      from: { path: '^src/domain/' },
      to: { pathNot: '^src/domain/' },
    },
    {
      name: 'application-imports-domain-alone',
      severity: 'error',
      comment: 'Whatever can fail, wait or differ between machines is a port: no package, no node:*, no adapter.',
      from: { path: '^src/application/' },
      to: { pathNot: '^src/(application|domain)/' },
    },
    {
      name: 'adapter-knows-no-other-adapter',
      severity: 'error',
      comment: 'What two adapter folders share lives in src/adapters/shared.',
      from: { path: '^src/adapters/([^/]+)/' },
      to: { path: '^src/adapters/', pathNot: ['^src/adapters/$1/', '^src/adapters/shared/'] },
    },
    {
      name: 'nothing-imports-bootstrap',
      severity: 'error',
      comment: 'Bootstrap puts the parts together; no part knows of it.',
      from: { path: '^src/', pathNot: '^src/bootstrap/' },
      to: { path: '^src/bootstrap/' },
    },
    {
      name: 'inversify-in-bootstrap-alone',
      severity: 'error',
      comment: 'Services are factory functions and adapters have ordinary constructors: no part needs the container.',
      from: { path: '^src/', pathNot: '^src/bootstrap/' },
      to: { path: '(^|/)node_modules/inversify' },
    },
    {
      name: 'source-imports-no-test',
      severity: 'error',
      comment: 'What ships must not need what does not.',
      from: { path: '^src/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-circle',
      severity: 'error',
      comment: 'Two files that need each other are one file, or one of them is in the wrong place.',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'everything-imported-exists',
      severity: 'error',
      comment: 'A misspelt or undeclared import.',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'source-needs-no-development-package',
      severity: 'error',
      comment: 'An installation without development packages must run.',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.cjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['require', 'node', 'default', 'types'],
    },
  },
};
