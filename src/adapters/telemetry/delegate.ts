/**
 * All methods of a part, bound to it, with some of them replaced: what is not replaced goes through untouched, also what a
 * part that is a Proxy makes only when it is asked for, as a shard does whose file cannot be opened.
 */
export function delegate<Part extends object>(part: Part, replaced: Partial<Part>): Part {
  const made = Object.create(new Proxy(part, { get: boundMember })) as Record<PropertyKey, unknown>;
  for (let level: object | null = part; level !== null && level !== Object.prototype; level = prototypeOf(level)) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name === 'constructor' || Object.hasOwn(made, name)) continue;
      const value = (part as Record<string, unknown>)[name];
      if (typeof value === 'function') made[name] = (value as (...told: unknown[]) => unknown).bind(part);
      else
        Object.defineProperty(made, name, { get: () => (part as Record<string, unknown>)[name], configurable: true });
    }
  }
  for (const [name, value] of Object.entries(replaced))
    Object.defineProperty(made, name, { value, configurable: true, enumerable: true });
  return made as Part;
}

const boundMember = <Part extends object>(part: Part, name: PropertyKey): unknown => {
  const value: unknown = Reflect.get(part, name, part);
  return typeof value === 'function' ? (value as (...told: unknown[]) => unknown).bind(part) : value;
};

const prototypeOf = (level: object): object | null => Object.getPrototypeOf(level) as object | null;
