/** SHA-256 as lower-case hex. */
export type Digest = (text: string) => string;
