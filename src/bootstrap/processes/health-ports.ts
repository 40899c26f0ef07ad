import { UsageProblems } from '../command-line/problems';

const PORT_MAX = 65_535;

/** The first process gets the port of the setting, the others the next ones, in the order scanner, fetcher, consumers. */
export function healthPorts(first: number, names: readonly string[]): ReadonlyMap<string, number> {
  if (first !== 0 && first + names.length - 1 > PORT_MAX)
    throw new UsageProblems([
      `Health:Port: found ${first}, expected at most ${PORT_MAX - names.length + 1}: ${names.length} processes take a port each from there on`,
    ]);
  return new Map(names.map((name, index) => [name, first === 0 ? 0 : first + index]));
}
