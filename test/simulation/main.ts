import { runSeed } from './run-seed';

export async function main(args: readonly string[]): Promise<number> {
  const [from, to] = (args[0] ?? '1..20').split('..').map(Number) as [number, number];
  const started = performance.now();
  let faults = 0, crashes = 0, bad = 0, happenings = 0, virtual = 0;
  for (let seed = from; seed <= to; seed++) {
    const result = await runSeed({ seed, faults: {}, ...(args[1] === '-v' ? { narrate: (line: string) => void process.stdout.write(line + '\n') } : {}) });
    faults += result.fired.length; crashes += result.crashes; happenings += result.happenings; virtual += result.virtualMs;
    if (result.violations.length) { bad++; process.stdout.write(`seed ${seed}: rows ${result.rows}\n   ${result.violations.slice(0, 6).join('\n   ')}\n`); }
    if (args[1] === '-v') for (const f of result.fired) process.stdout.write(`${f.at} ${f.kind} ${f.about} ${f.id}\n`);
  }
  const n = to - from + 1;
  process.stdout.write(`${n} seeds, ${bad} bad, ${faults / n} faults, ${crashes / n} crashes, ${happenings / n} happenings, ${virtual / n / 60000} min, ${((performance.now() - started) / n).toFixed(1)} ms per seed\n`);
  return bad ? 1 : 0;
}
