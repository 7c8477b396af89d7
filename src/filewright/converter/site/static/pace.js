// @ts-check
/**
 * Time left, as a person can bear to read it: it follows the evidence, but does not jump.
 *
 * Kept is the moment of the end, not the seconds until it: while nothing new is known it counts down by itself.
 */

const TRUST = 0.25;
const RATE_TRUST = 0.3;
/** How much longer a guess may be than the one before: bad news comes little by little. */
const RISE = 1.05;
/** Per cents gained before they tell more than an estimate made beforehand; fewer do if they took some seconds. */
const TELLING = 3;
const TELLING_AFTER = 2000;
/** How far an estimate may be from the pace that is seen and still be listened to. */
const DOUBT = 1.5;

export class Pace {
  /** @type {number|null} */
  #end = null;
  /** @type {number|null} */
  #rate = null;
  /** @type {{at: number, amount: number}|null} */
  #last = null;

  #at = 0;

  /** A new guess of the seconds left moves the end a part of the way; null: nothing is known any more. */
  guess(/** @type {number} */ now, /** @type {number|null} */ seconds) {
    if (seconds === null || !Number.isFinite(seconds)) this.#end = null;
    else {
      const end = now + seconds * 1000;
      if (this.#end === null) this.#end = end;
      else {
        const before = Math.max(1000, this.#end - this.#at);
        this.#end = Math.min(this.#end + (end - this.#end) * TRUST, now + before * RISE);
      }
    }
    this.#at = now;
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

/**
 * How a job gets on, from the per cents that were heard and when. It begins with the first of them, wherever that is:
 * after a reload the time before is not known.
 */
export class Course {
  /** @type {{at: number, progress: number}|null} */
  #first = null;
  #last = { at: 0, progress: 0 };

  see(/** @type {number} */ now, /** @type {number} */ progress) {
    if (this.#first === null || progress < this.#last.progress) this.#first = this.#last = { at: now, progress };
    else if (progress > this.#last.progress) this.#last = { at: now, progress };
  }

  /**
   * Seconds left; null while too little was seen. `estimate` is what was thought to be left when the last per cent was
   * heard: it steadies the first guesses, and is the less heard the more was seen.
   *
   * @param {number} now @param {number} [estimate] @returns {number|null}
   */
  left(now, estimate) {
    const [first, last] = [this.#first, this.#last];
    if (first === null) return null;
    const gained = last.progress - first.progress;
    if (gained <= 0 || last.at <= first.at) return null;
    if (gained < TELLING && now - first.at < TELLING_AFTER) return null;
    // Between two per cents time runs on; where the next one is overdue, the job is slower than it was.
    const rate = Math.min((gained * 1000) / (last.at - first.at), ((gained + 1) * 1000) / (now - first.at));
    const since = (now - last.at) / 1000;
    const own = (100 - last.progress) / rate - Math.min(since, 1 / rate);
    if (estimate === undefined) return own;
    const believable = Math.min(Math.max(estimate - since, own / DOUBT), own * DOUBT);
    return own + (believable - own) * (TELLING / (TELLING + gained));
  }
}

/**
 * Seconds until jobs that wait will be done: each begins when one before it ends. `running` are the seconds left of
 * those at work now, as many as there are places to work; `waiting` are the others with their places in the queue
 * (1 is next) and what each takes by itself. What other people's jobs take, whose places lie between, nobody says here:
 * each is taken to be as long as the one behind it. Null for all where it is not known when a place to work gets free.
 *
 * @template T
 * @param {(number|null)[]} running
 * @param {{key: T, place: number, seconds: number}[]} waiting
 * @returns {Map<T, number|null>}
 */
export function timesInQueue(running, waiting) {
  const known = running.length > 0 && !running.includes(null);
  const free = /** @type {number[]} */ ([...running]);
  const begin = (/** @type {number} */ seconds) => {
    const soonest = free.indexOf(Math.min(...free));
    return (free[soonest] += seconds);
  };
  const times = new Map();
  let next = 1;
  for (const { key, place, seconds } of [...waiting].sort((one, other) => one.place - other.place)) {
    for (; known && next < place; next += 1) begin(seconds);
    times.set(key, known ? begin(seconds) : null);
    next = Math.max(next, place + 1);
  }
  return times;
}
