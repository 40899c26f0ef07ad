/** Whatever comes at all comes within this, on however slow a machine; only what never comes is waited for so long. */
export const COMES_WITHIN_MS = 60_000;
/** By now has ended what is not waited for; what it is told apart from takes at least twice as long, or never ends. */
export const ENDED_WITHIN_MS = 20_000;
/** The limit of a test that runs whole programs, minutes on a slow machine: only what hangs meets it. */
export const WHOLE_RUN_MS = 600_000;
const LOOK_EVERY_MS = 10;

/** Looks again until the condition holds; fails with what it waited for when the time is over. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = COMES_WITHIN_MS,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
