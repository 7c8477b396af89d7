// @ts-check
/**
 * The account page's own texts. They lie beside it, so that the page for files does not carry them; values, numbers and
 * the direction of writing are i18n.js's, and so is the choice of the language.
 */
import { locale, onLanguage, setLanguage, t } from '../i18n.js';
import { languages } from '../visitor.js';
import english from './texts/en.js';

/** @typedef {string|Record<string, string>} Text */

/** @type {Record<string, Text>} */
let texts = english;

/** A text of this page. @param {string} key @param {Record<string, string|number>} [values] */
export function say(key, values = {}) {
  const found = texts[key] ?? /** @type {Record<string, Text>} */ (english)[key] ?? key;
  if (typeof found === 'string') return t(found, values);
  return t(found[new Intl.PluralRules(locale()).select(Number(values.n))] ?? found.other, values);
}

/** Whether the page speaks the language of the service's own sentences. */
export const speaksEnglish = () => locale() === 'en';

/** The texts come first, so that whoever listens finds them. */
export async function speak(/** @type {string} */ code, { remember = false } = {}) {
  texts = code in languages && code !== 'en' ? (await import(`./texts/${code}.js`)).default : english;
  await setLanguage(code, { remember });
}

/** Says again, after each change of language, what stands in elements with `data-say` and `data-say-label`. */
export function sayAgain() {
  for (const element of document.querySelectorAll('[data-say]')) element.textContent = say(/** @type {HTMLElement} */ (element).dataset.say ?? '');
  for (const element of document.querySelectorAll('[data-say-label]')) element.setAttribute('aria-label', say(/** @type {HTMLElement} */ (element).dataset.sayLabel ?? ''));
}
onLanguage(sayAgain);

const dates = (/** @type {Intl.DateTimeFormatOptions} */ how, /** @type {string} */ moment) =>
  new Intl.DateTimeFormat(locale(), how).format(new Date(moment));

/** `22 Nov 2026` */
export const day = (/** @type {string} */ moment) => dates({ dateStyle: 'medium' }, moment);
/** `22 Nov 2026, 14:05` */
export const moment = (/** @type {string} */ when) => dates({ dateStyle: 'medium', timeStyle: 'short' }, when);
/** `November 2026`, from `2026-11`. */
export const month = (/** @type {string} */ name) => dates({ month: 'long', year: 'numeric', timeZone: 'UTC' }, `${name}-15T00:00:00Z`);
