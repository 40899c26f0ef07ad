import { randomUUID } from 'node:crypto';
import { type Chance } from '../../application/ports/chance';

export class SystemChance implements Chance {
  uuid(): string {
    return randomUUID();
  }

  fraction(): number {
    return Math.random();
  }
}
