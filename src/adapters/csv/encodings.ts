/** Encodings a mapping may name. One byte is one character in all but the first three. */
export const ENCODINGS = [
  'utf-8', 'utf-16le', 'utf-16be', 'windows-1250', 'windows-1251', 'windows-1252', 'windows-1253', 'windows-1254', 'windows-1257',
  'iso-8859-1', 'iso-8859-2', 'iso-8859-5', 'iso-8859-7', 'iso-8859-13', 'iso-8859-15',
] as const; // prettier-ignore
export type Encoding = (typeof ENCODINGS)[number];

/** The encoding by any of its usual names, in capitals or not: `cp1250`, `latin2`, `UTF8`. */
export function encodingNamed(name: string): Encoding | undefined {
  const lower = name.toLowerCase();
  const found = ENCODINGS.find((each) => each === lower);
  if (found !== undefined) return found;
  try {
    const { encoding } = new TextDecoder(lower);
    return ENCODINGS.find((each) => each === encoding);
  } catch {
    return undefined;
  }
}

/**
 * 0x80 to 0x9F of windows-1252; a blank stands for a byte without a character. Node's own decoder of this name reads
 * ISO-8859-1 instead from 20.18.3 on (nodejs/node issue 60888): a euro sign would become a control character.
 */
const WINDOWS_1252 = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';

const CONTROL = /[\u0080-\u009f]/;
const CONTROLS = /[\u0080-\u009f]/g;

/** Bytes that are whole characters → text. Bytes that are no character become U+FFFD. */
export function decoderOf(encoding: Encoding): (bytes: Uint8Array) => string {
  switch (encoding) {
    case 'utf-8':
    case 'utf-16le':
    case 'utf-16be': {
      const decoder = new TextDecoder(encoding, { ignoreBOM: true });
      return (bytes) => decoder.decode(bytes);
    }
    case 'windows-1252':
      return (bytes) => {
        const text = latin1(bytes);
        if (!CONTROL.test(text)) return text;
        return text.replace(CONTROLS, (control) => {
          const found = WINDOWS_1252[control.charCodeAt(0) - 0x80]!;
          return found === ' ' ? '\ufffd' : found;
        });
      };
    case 'iso-8859-1':
      return (bytes) => withoutControls(latin1(bytes));
    default: {
      // The decoders give a control character for a byte that has no character: no text of people holds one.
      const decoder = new TextDecoder(encoding);
      return (bytes) => withoutControls(decoder.decode(bytes));
    }
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
const withoutControls = (text: string): string => (CONTROL.test(text) ? text.replace(CONTROLS, '\ufffd') : text);

/** What the first bytes of a file say of its encoding by their byte order mark. */
export function encodingByMark(bytes: Uint8Array): Encoding | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}
