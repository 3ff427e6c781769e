// @ts-check
// What is wrong with an expression, and where.

/** An expression that cannot be understood. */
export class Fault extends Error {
  /**
   * @param {number} at the first character that is meant, from 0
   * @param {number} length how many are meant
   * @param {string} message
   * @param {string} [hint] what to write instead
   */
  constructor(at, length, message, hint) {
    super(message);
    this.at = at;
    this.length = length;
    this.hint = hint;
  }

  /** One sentence, with the column counted from 1. */
  sentence() {
    return `column ${this.at + 1}: ${this.message}${this.hint ? `; ${this.hint}` : ""}`;
  }
}
