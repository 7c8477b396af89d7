// @ts-check
/**
 * Time left, as a person can bear to read it: it follows the evidence, but does not jump.
 *
 * Kept is the moment of the end, not the seconds until it: while nothing new is known it counts down by itself.
 */

const TRUST = 0.25;
const RATE_TRUST = 0.3;

export class Pace {
  /** @type {number|null} */
  #end = null;
  /** @type {number|null} */
  #rate = null;
  /** @type {{at: number, amount: number}|null} */
  #last = null;

  /** A new guess of the seconds left moves the end a part of the way; null: nothing is known any more. */
  guess(/** @type {number} */ now, /** @type {number|null} */ seconds) {
    if (seconds === null || !Number.isFinite(seconds)) this.#end = null;
    else {
      const end = now + seconds * 1000;
      this.#end = this.#end === null ? end : this.#end + (end - this.#end) * TRUST;
    }
  }

  /** @returns {number|null} whole seconds; never none for what is not over */
  left(/** @type {number} */ now) {
    return this.#end === null ? null : Math.max(1, Math.round((this.#end - now) / 1000));
  }

  /** How much comes in a second, when there was `amount` by `now`. Nothing, as after a loss, does not count. */
  rate(/** @type {number} */ now, /** @type {number} */ amount) {
    const last = this.#last;
    this.#last = { at: now, amount };
    if (last && now > last.at && amount > last.amount) {
      const rate = ((amount - last.amount) * 1000) / (now - last.at);
      this.#rate = this.#rate === null ? rate : this.#rate + (rate - this.#rate) * RATE_TRUST;
    }
    return this.#rate;
  }

  /** Another kind of work begins; what was learned of the last says nothing of it. */
  forget() {
    this.#end = this.#rate = this.#last = null;
  }
}
