import { readFileSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { connect } from 'node:tls';

/** A name that takes longer to find, or a server that takes longer to shake hands, is out of reach for whoever needs it. */
const PROBE_MS = 5_000;
const DAY_MS = 24 * 3_600_000;

export interface Probed {
  /** In a few words; undefined: it is well. */
  readonly problem: string | undefined;
  /** What was seen where it is well. */
  readonly seen: string;
}

/** Whether a host has an address here. */
export async function findAddress(host: string): Promise<Probed> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error('late'), { code: 'ETIMEOUT' })), PROBE_MS);
    });
    const found = await Promise.race([lookup(host, { all: true }), late]);
    return { problem: undefined, seen: found.map(({ address }) => address).join(', ') };
  } catch (error) {
    return { problem: `no address is found (${codeOf(error)})`, seen: '' };
  } finally {
    clearTimeout(timer);
  }
}

export interface TlsPlace {
  readonly host: string;
  readonly port: number;
  /** PEM file with the authorities to trust; absent: those that Node trusts. */
  readonly authorities?: string;
}

/** Shakes hands as a client would that verifies certificates, and sends nothing. `nowMs`: for the certificate's last day. */
export async function shakeHands(place: TlsPlace, nowMs: number, daysLeftMin: number): Promise<Probed> {
  const { host, port, authorities } = place;
  let ca: string | undefined;
  try {
    ca = authorities === undefined ? undefined : readFileSync(authorities, 'utf8');
  } catch (error) {
    return { problem: `the file of its authorities, ${authorities}, cannot be read (${codeOf(error)})`, seen: '' };
  }
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port,
      ...(isIP(host) ? {} : { servername: host }),
      timeout: PROBE_MS,
      ...(ca === undefined ? {} : { ca }),
    });
    const end = (probed: Probed): void => {
      socket.destroy();
      resolve(probed);
    };
    socket.once('error', (error) => end({ problem: `no secure connection (${codeOf(error)})`, seen: '' }));
    socket.once('timeout', () => end({ problem: `no answer within ${PROBE_MS / 1_000} s`, seen: '' }));
    socket.once('secureConnect', () => {
      const { valid_to: until } = socket.getPeerCertificate();
      const days = Math.floor((Date.parse(until) - nowMs) / DAY_MS);
      const seen = `${socket.getProtocol() ?? 'TLS'}, certificate for ${days} days more`;
      end({ problem: days < daysLeftMin ? `its certificate ends in ${days} days` : undefined, seen });
    });
  });
}

const codeOf = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? (error as Error).message.replace(/[^\x20-\x7e]/g, ' ');
