import { endOfString } from './big-integers';

/** One bracket that is open. */
interface Open {
  /** Of an object its members so far; undefined for a list. */
  readonly names: Set<string> | undefined;
  /** Where the reader is in it: the member's name, or the item's number. */
  at: string | number;
  /** In an object: the next text is a name and no value. */
  awaitsName: boolean;
}

/**
 * The place of the first member that an object says a second time (`/Requests/Payment/Body`); undefined where none does.
 * JSON.parse keeps the last of the two in silence, and who wrote the file reads the first. Of JSON that JSON.parse has read.
 */
export function repeatedMember(text: string): string | undefined {
  const open: Open[] = [];
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!;
    const top = open.at(-1);
    if (sign === '"') {
      const end = endOfString(text, at);
      if (top?.names && top.awaitsName) {
        const name = JSON.parse(text.slice(at, end + 1)) as string;
        top.at = name;
        top.awaitsName = false;
        if (top.names.has(name)) return `/${open.map((one) => one.at).join('/')}`;
        top.names.add(name);
      }
      at = end;
    } else if (sign === '{') open.push({ names: new Set(), at: '', awaitsName: true });
    else if (sign === '[') open.push({ names: undefined, at: 0, awaitsName: false });
    else if (sign === '}' || sign === ']') open.pop();
    else if (sign === ',' && top) {
      if (top.names) top.awaitsName = true;
      else top.at = Number(top.at) + 1;
    }
  }
  return undefined;
}
