import { createHash } from 'node:crypto';
import { type Digest } from '../../application/ports/digest';

export const sha256Digest: Digest = (text) => createHash('sha256').update(text, 'utf8').digest('hex');
