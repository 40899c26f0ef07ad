/** Node's own switches that weaken TLS or HTTP for every connection of the process, in the environment or on its command line. */
const INSECURE_FLAGS: ReadonlySet<string> = new Set([
  '--insecure-http-parser',
  '--tls-min-v1.0',
  '--tls-min-v1.1',
  '--use-openssl-ca',
]);
const TRUST = 'trust a certificate of your own with NODE_EXTRA_CA_CERTS instead';

/** What Node was told that no process of this platform may start with. */
export function runtimeProblems(
  environment: Readonly<Record<string, string | undefined>>,
  flags: readonly string[],
): readonly string[] {
  const verify = environment['NODE_TLS_REJECT_UNAUTHORIZED'];
  const named = [...flags, ...(environment['NODE_OPTIONS'] ?? '').split(/[\s"']+/)].map((flag) =>
    flag.replaceAll('_', '-'),
  );
  return [
    ...(verify === undefined || verify === '' || verify === '1'
      ? []
      : [
          `NODE_TLS_REJECT_UNAUTHORIZED: found ${JSON.stringify(verify)}, expected it unset: certificates are verified; ${TRUST}`,
        ]),
    ...[...new Set(named)]
      .filter((flag) => INSECURE_FLAGS.has(flag))
      .map((flag) => `NODE_OPTIONS: found ${flag}, expected none that weakens TLS or HTTP; ${TRUST}`),
  ];
}
