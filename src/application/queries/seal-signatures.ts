import { type SealCopy } from '../history/history-seal';
import { type SealCryptography } from '../ports/seal-cryptography';

/** Judges the signatures of seals in their order. Seals may be unsigned until the first that is signed, never after it. */
export class SealSignatures {
  sound = 0;
  unsigned = 0;
  private anySigned = false;

  constructor(private readonly cryptography: SealCryptography) {}

  isSound({ digest, signature, key }: SealCopy): boolean {
    return (
      signature !== undefined && key !== undefined && this.cryptography.check(digest, { signature, key }) === 'sound'
    );
  }

  /** What is wrong with the signature of the next seal; without any key nothing can be told. */
  problem({ digest, signature, key }: SealCopy): string | undefined {
    if (signature === undefined || key === undefined) {
      this.unsigned++;
      return this.anySigned && this.cryptography.canCheck ? 'it is not signed, and seals before it are' : undefined;
    }
    this.anySigned = true;
    if (!this.cryptography.canCheck) return undefined;
    const check = this.cryptography.check(digest, { signature, key });
    if (check === 'sound') this.sound++;
    if (check === 'forged') return 'its signature is forged';
    return check === 'unknown-key' ? `it is signed with key ${key}, whose public part is not given` : undefined;
  }

  /** Taking all signatures away must not look like never having signed. */
  lacksAll(): boolean {
    return this.cryptography.canCheck && this.unsigned > 0 && !this.anySigned;
  }
}
