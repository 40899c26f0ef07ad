import {
  readSandboxConfiguration,
  SandboxConfigurationError,
} from '../../src/adapters/sandbox-biller/sandbox-configuration';

const biller = { billerId: '12', authentication: { kind: 'none' }, format: 'json' };

function problemsOf(value: object | string): readonly string[] {
  try {
    readSandboxConfiguration(typeof value === 'string' ? value : JSON.stringify(value));
  } catch (error) {
    if (error instanceof SandboxConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

describe('the configuration of the sandbox biller', () => {
  it('fills in its defaults', () => {
    expect(readSandboxConfiguration(JSON.stringify({ ledgerFile: 'x.db', seed: 7, billers: [biller] }))).toEqual({
      host: '127.0.0.1',
      port: 0,
      ledgerFile: 'x.db',
      seed: '7',
      billers: [{ ...biller, quarantineMs: 0, latencyMs: { median: 0, max: 0 }, faults: {}, hangMs: 0 }],
    });
  });

  it('names every problem with its place, all at once', () => {
    const broken = {
      ...biller,
      format: 'yaml',
      faults: { timeout: 0.1, latency: 2 },
      authentication: { kind: 'basic', user: 'u' },
    };
    expect(problemsOf({ host: '0.0.0.0', seed: '1', billers: [broken], prot: 1 })).toEqual([
      "configuration: must have required property 'ledgerFile'",
      'configuration: does not know "prot"',
      'host: must be one of 127.0.0.1, ::1, localhost',
      "billers.0.authentication: must have required property 'password'",
      'billers.0.format: must be one of json, xml, form',
      'billers.0.faults: does not know "timeout"',
      'billers.0.faults.latency: must be <= 1',
    ]);
  });

  it('finds contradictions', () => {
    const one = { ...biller, faults: { 'timeout-with-late-effect': 0.7, latency: 0.4 } };
    expect(
      problemsOf({ ledgerFile: 'x.db', seed: '1', billers: [one, { ...biller, latencyMs: { median: 2, max: 1 } }] }),
    ).toEqual([
      'billers.0.faults: the rates add up to 1.1, more than 1',
      'billers.0.hangMs: must be above 0, since there are timeout faults',
      'billers.0.quarantineMs: must be above 0, since there are late effects',
      'billers.0.latencyMs.max: must be above 0, since there are latency faults',
      'billers.1.billerId: "12" is there twice',
      'billers.1.latencyMs: median is above max',
    ]);
  });

  it('says where it is not JSON at all', () => {
    expect(problemsOf('{"host":')[0]).toMatch(/^not JSON: /);
  });
});
