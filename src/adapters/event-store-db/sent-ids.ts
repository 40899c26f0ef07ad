import { type NewEvent } from '../../application/ports/event-store';
import { type StreamName } from '../../domain/identifiers';

/** At 1,000 events/s this reaches back 50 s, longer than anybody repeats an append; about 10 MB. */
const IDS_MAX = 50_000;

/** Which event ids this process has sent to which stream of late. */
export class SentIds {
  private readonly keys = new Set<string>();

  /** Notes the ids; false where one of them has been sent to this stream before. */
  areNew(stream: StreamName, events: readonly NewEvent[]): boolean {
    const keys = events.map(({ id }) => `${stream} ${id}`);
    const areNew = !keys.some((key) => this.keys.has(key));
    for (const key of keys) this.keys.add(key);
    for (const oldest of this.keys) {
      if (this.keys.size <= IDS_MAX) break;
      this.keys.delete(oldest);
    }
    return areNew;
  }
}
