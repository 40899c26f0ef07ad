import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type LoggedEvent } from '../../application/ports/event-log';
import { LEAF_DIGITS, type PackedEvent, type SealCryptography } from '../../application/ports/seal-cryptography';

const KEY_DIGITS = 16;
/** Of a seal's list of names, unpacked: a thousand names are far less. */
const NAMES_BYTES_MAX = 4 * 1_024 * 1_024;
/** Names follow each other closely; more effort saves nothing worth its time. */
const DEFLATE_LEVEL = 3;
const PEM_PUBLIC = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;

interface Keys {
  /** PEM, PKCS 8, Ed25519. */
  readonly privateKey?: string;
  /** One or more PEM blocks: after a change of keys, older seals are checked by the older key. */
  readonly publicKeys?: string;
}

/** SHA-256 and Ed25519 of this Node. Throws a TypeError that says what is wrong with a key, never the key. */
export function sealCryptography(keys: Keys = {}): SealCryptography {
  const signer = keys.privateKey === undefined ? undefined : privateKeyOf(keys.privateKey);
  const checkers = new Map<string, KeyObject>();
  for (const key of publicKeysOf(keys.publicKeys)) checkers.set(nameOfKey(key), key);
  if (signer) checkers.set(nameOfKey(createPublicKey(signer)), createPublicKey(signer));
  const signerName = signer && nameOfKey(createPublicKey(signer));
  return {
    ofEvent,
    ofText: (text) => hash('sha256', text),
    pack,
    unpack,
    sign: (digest) =>
      signer && signerName !== undefined
        ? { signature: sign(null, Buffer.from(digest), signer).toString('base64'), key: signerName }
        : undefined,
    check: (digest, { signature, key }) => {
      const checker = checkers.get(key);
      if (!checker) return 'unknown-key';
      return verify(null, Buffer.from(digest), checker, Buffer.from(signature, 'base64')) ? 'sound' : 'forged';
    },
    canCheck: checkers.size > 0,
  };
}

/** The length before each part leaves one way to take the text apart: no two events share it. */
const framed = (part: string): string => `${Buffer.byteLength(part)}:${part}`;

const ofEvent = ({ stream, revision, id, type, data, metadata }: LoggedEvent): string =>
  hash('sha256', framed(stream) + framed(revision) + framed(id) + framed(type) + framed(data) + framed(metadata));

function pack(events: readonly PackedEvent[]): { readonly names: string; readonly leaves: string } {
  const names = JSON.stringify(events.map(({ name }) => name));
  return {
    names: deflateRawSync(names, { level: DEFLATE_LEVEL }).toString('base64'),
    leaves: Buffer.from(events.map(({ leaf }) => leaf).join(''), 'hex').toString('base64'),
  };
}

function unpack({
  names,
  leaves,
}: {
  readonly names: string;
  readonly leaves: string;
}): readonly PackedEvent[] | undefined {
  try {
    const text = inflateRawSync(Buffer.from(names, 'base64'), { maxOutputLength: NAMES_BYTES_MAX }).toString();
    const list = JSON.parse(text) as unknown;
    const digits = Buffer.from(leaves, 'base64').toString('hex');
    if (!Array.isArray(list) || digits.length !== list.length * LEAF_DIGITS) return undefined;
    return list.map((name, place) => ({
      name: String(name),
      leaf: digits.slice(place * LEAF_DIGITS, (place + 1) * LEAF_DIGITS),
    }));
  } catch {
    return undefined;
  }
}

const nameOfKey = (key: KeyObject): string =>
  hash('sha256', key.export({ type: 'spki', format: 'der' })).slice(0, KEY_DIGITS);

function privateKeyOf(pem: string): KeyObject {
  let key: KeyObject;
  try {
    // A secret store may keep a text of several lines on one.
    key = createPrivateKey(pem.replaceAll('\\n', '\n'));
  } catch {
    throw new TypeError(
      'the signing key is no private key as PEM (PKCS 8): make one with openssl genpkey -algorithm ed25519',
    );
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new TypeError(
      `the signing key is of type ${key.asymmetricKeyType ?? 'unknown'}, expected ed25519: openssl genpkey -algorithm ed25519`,
    );
  return key;
}

function publicKeysOf(pem: string | undefined): readonly KeyObject[] {
  if (pem === undefined) return [];
  const blocks = pem.match(PEM_PUBLIC) ?? [];
  if (blocks.length === 0)
    throw new TypeError('holds no public key as PEM: make it with openssl pkey -in private.pem -pubout');
  return blocks.map((block, place) => {
    const key = readPublicKey(block, place + 1);
    if (key.asymmetricKeyType !== 'ed25519')
      throw new TypeError(`public key ${place + 1} is of type ${key.asymmetricKeyType ?? 'unknown'}, expected ed25519`);
    return key;
  });
}

function readPublicKey(block: string, place: number): KeyObject {
  try {
    return createPublicKey(block);
  } catch {
    throw new TypeError(`public key ${place} cannot be read: make it with openssl pkey -in private.pem -pubout`);
  }
}
