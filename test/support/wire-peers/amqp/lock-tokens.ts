/**
 * A lock token is 16 bytes. The embedded bus writes them as 32 hex digits; $management carries them in that order; a
 * delivery tag carries them as .NET writes a Guid, the first three groups with their bytes reversed.
 */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

export const tagOfToken = (token: string): Buffer => {
  const bytes = Buffer.from(token, 'hex');
  return Buffer.from(GUID_ORDER.map((index) => bytes[index]!));
};

export const tokenOfUuid = (bytes: Buffer): string => bytes.toString('hex');
