import { listOf, text } from './setting-kinds';

/** No character that cannot be seen: two paths that look alike are the same. */
export const path = text(
  'a path of visible characters',
  /^(?!\s*$)[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]+$/u,
);
export const shardNames = listOf(
  'shard names, each the name of a file without slashes',
  /^(?!\.)[^\s:/\\\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]{1,56}$/u,
);
