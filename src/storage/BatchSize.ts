/**
 * How many rows go into one transaction. A database that takes seconds over every commit, however small, is given more
 * with each, so that it stores as much; one that is quick again, or refuses so much at once, is given the usual number.
 */

/** A commit that takes this long, in milliseconds, is worth more rows. */
const SLOW = 500

export class BatchSize {
  private rows: number
  readonly usual: number
  private readonly most: number

  constructor(usual: number, most: number) {
    this.usual = usual
    this.most = Math.max(usual, most)
    this.rows = usual
  }

  get limit(): number {
    return this.rows
  }

  /** A transaction took so long, and so many rows wait for the next one. */
  note(milliseconds: number, waiting: number): void {
    if (milliseconds < SLOW) this.rows = Math.max(this.usual, this.rows >>> 1)
    else if (waiting >= this.rows) this.rows = Math.min(this.most, this.rows * 2)
  }

  /** One did not succeed. */
  reset(): void {
    this.rows = this.usual
  }
}
