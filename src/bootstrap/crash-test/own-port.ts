import { freePort } from '../demo/sandbox-process';

const TRIES_MAX = 100;
const given = new Set<number>();

/** A free port that no other trial of this run was given: some start at the same moment. */
export async function ownPort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = await freePort(Math.random);
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no port of its own was found in ${TRIES_MAX} tries`);
}
