import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SelfSignedCertificate {
  readonly certificateFile: string;
  readonly certificate: Buffer;
  readonly key: Buffer;
}

/** A certificate for 127.0.0.1 and localhost that vouches for itself, made by openssl in the folder. */
export function selfSignedCertificate(folder: string): SelfSignedCertificate {
  const certificateFile = join(folder, 'certificate.pem');
  const keyFile = join(folder, 'key.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
      ...['-keyout', keyFile, '-out', certificateFile],
    ],
    { stdio: 'pipe' },
  );
  return { certificateFile, certificate: readFileSync(certificateFile), key: readFileSync(keyFile) };
}
