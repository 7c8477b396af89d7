// @ts-check
/**
 * The page's languages. English is the catalogue: every text is there, and whatever another language lacks is shown in
 * English. Which language a visitor wants is visitor.js's business.
 *
 * A text holds `{name}` for values. A text that depends on a number is an object by plural category (`one`, `other`,
 * and whatever the language has: see Intl.PluralRules); the number is the value `n`. Numbers are written in the way of
 * the language.
 *
 * `qps-rtl` is a language nobody speaks: English in other letters, longer, from right to left. What stays English in it
 * is no text of the catalogue, and what breaks in it would break in Arabic.
 */
import english from './texts/en.js';
import { PSEUDO, storeLanguage } from './visitor.js';

export { languages, preferredLanguage } from './visitor.js';

/** @typedef {string|Record<string, string>} Text */

let current = 'en';
/** @type {Record<string, Text>} */
let texts = english;
let numbers = new Intl.NumberFormat('en');
let plurals = new Intl.PluralRules('en');
/** @type {Set<() => void>} */
const listeners = new Set();

/** The language the page speaks. */
export const language = () => current;

/** The language whose numbers, units and plurals are right. */
export const locale = () => (current === PSEUDO ? 'en' : current);

/** Calls `listener` after each change of language. */
export function onLanguage(/** @type {() => void} */ listener) {
  listeners.add(listener);
}

/**
 * @param {string} key
 * @param {Record<string, string|number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  return fill(maybe(key) ?? key, values);
}

/** Whether the catalogue knows a key: for texts that only some formats, options or problems have. */
export const has = (/** @type {string} */ key) => maybe(key) !== undefined;

/** The name of a format in this language. */
export function formatName(/** @type {{id:string, name:string}} */ format) {
  return has(`format.${format.id}`) ? t(`format.${format.id}`) : format.name;
}

/** Puts the catalogue's words into an element and all in it that carries `data-t` (text) or `data-t-label` (name). */
export function translate(/** @type {ParentNode} */ root) {
  for (const element of root.querySelectorAll('[data-t]')) element.textContent = t(/** @type {HTMLElement} */ (element).dataset.t ?? '');
  for (const element of root.querySelectorAll('[data-t-label]')) element.setAttribute('aria-label', t(/** @type {HTMLElement} */ (element).dataset.tLabel ?? ''));
}

/** Changes the language, and remembers it if a person chose it. */
export async function setLanguage(/** @type {string} */ code, { remember = false } = {}) {
  texts = await load(code);
  current = code;
  numbers = new Intl.NumberFormat(locale());
  plurals = new Intl.PluralRules(locale());
  document.documentElement.lang = locale();
  document.documentElement.dir = code === PSEUDO ? 'rtl' : 'ltr';
  if (remember) storeLanguage(code);
  for (const listener of listeners) listener();
  delete document.documentElement.dataset.silent;
}

/** @returns {Promise<Record<string, Text>>} */
async function load(/** @type {string} */ code) {
  if (code === 'en') return english;
  if (code === PSEUDO) return Object.fromEntries(Object.entries(english).map(([key, text]) => [key, disguised(text)]));
  return (await import(`./texts/${code}.js`)).default;
}

/** @returns {Text|undefined} */
function maybe(/** @type {string} */ key) {
  return texts[key] ?? /** @type {Record<string, Text>} */ (english)[key];
}

/** @returns {string} */
function fill(/** @type {Text} */ found, /** @type {Record<string, string|number>} */ values) {
  const pattern = typeof found === 'string' ? found : found[plurals.select(Number(values.n))] ?? found.other;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? written(values[name]) : whole));
}

const written = (/** @type {string|number} */ value) => isolated(typeof value === 'number' ? numbers.format(value) : value);

/** Words and figures among words of the other direction keep to themselves (U+2068, U+2069). */
export function isolated(/** @type {string} */ words) {
  return document.documentElement.dir === 'rtl' ? `\u2068${words}\u2069` : words;
}

/** @returns {Text} */
function disguised(/** @type {Text} */ found) {
  if (typeof found !== 'string') return Object.fromEntries(Object.entries(found).map(([key, text]) => [key, /** @type {string} */ (disguised(text))]));
  const letters = { a: 'á', e: 'ë', i: 'ï', o: 'ö', u: 'ü', c: 'ç', n: 'ñ', s: 'š', y: 'ÿ' };
  const changed = found.replace(/\{\w+\}|[aeioucnsy]/g, (part) => /** @type {Record<string, string>} */ (letters)[part] ?? part);
  return `⟦${changed}${'·'.repeat(Math.ceil(found.length / 5))}⟧`;
}
