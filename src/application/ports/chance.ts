/** Identity and chance, brought in from outside so that a run can be repeated. */
export interface Chance {
  uuid(): string;
  /** In [0, 1). */
  fraction(): number;
}
