// @ts-check
/** Sizes, times and shares as a person of the page's language reads them. */
import { isolated, locale } from './i18n.js';

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** Making a number format is slow and rows ask for many, so each is made once. */
function numbers(/** @type {Intl.NumberFormatOptions} */ options) {
  const key = locale() + JSON.stringify(options);
  const found = formats.get(key) ?? new Intl.NumberFormat(locale(), options);
  formats.set(key, found);
  return found;
}

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** `1.2 MB`. A kilobyte has 1024 bytes here, as file managers count. */
export function bytes(/** @type {number} */ count) {
  let step = 0;
  while (count >= 1000 && step < SIZES.length - 1) {
    count /= 1024;
    step += 1;
  }
  const digits = step === 0 || count >= 10 ? 0 : 1;
  return isolated(numbers({ style: 'unit', unit: SIZES[step], unitDisplay: step ? 'short' : 'long', maximumFractionDigits: digits }).format(count));
}

const unit = (/** @type {number} */ count, /** @type {string} */ name, /** @type {'short'|'long'} */ display) =>
  isolated(numbers({ style: 'unit', unit: name, unitDisplay: display, maximumFractionDigits: 0 }).format(count));

/** `8 sec`, `3 min`, `1 hr 5 min`; in whole words with `long`. */
export function duration(/** @type {number} */ seconds, /** @type {'short'|'long'} */ display = 'short') {
  if (seconds < 60) return unit(Math.max(1, Math.round(seconds)), 'second', display);
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return unit(minutes, 'minute', display);
  const hours = Math.floor(minutes / 60);
  if (hours >= 72) return unit(Math.round(hours / 24), 'day', display);
  const rest = minutes % 60;
  return rest ? `${unit(hours, 'hour', display)} ${unit(rest, 'minute', display)}` : unit(hours, 'hour', display);
}

/** `45 %`, or `99.8 %` with one digit, from a share of 1. Rounded down: what is nearly done is not done. */
export function percent(/** @type {number} */ share, digits = 0) {
  const fine = 10 ** (2 + digits);
  return isolated(numbers({ style: 'percent', maximumFractionDigits: digits }).format(Math.floor(share * fine + 1e-9) / fine));
}

/** `−72 %`: how much smaller or larger a product is than its source. */
export function change(/** @type {number} */ before, /** @type {number} */ after) {
  return isolated(numbers({ style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' }).format(after / before - 1));
}

/** A count in the page's language. */
export const count = (/** @type {number} */ value) => numbers({}).format(value);
