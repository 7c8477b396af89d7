// @ts-check
/**
 * Which language a visitor wants: that of `?lang=`, else the one chosen here last, else the first known one of the
 * browser's. Apart from the texts, because it is asked before the first paint.
 */

/** @type {Readonly<Record<string, string>>} */
export const languages = { en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français', tr: 'Türkçe' };

/** A language nobody speaks, to try the page with: see i18n.js. */
export const PSEUDO = 'qps-rtl';

const STORED = 'filewright.language';

/** The language to begin with. */
export function preferredLanguage() {
  const asked = new URLSearchParams(location.search).get('lang');
  const wishes = [asked, stored(), ...navigator.languages].filter((wish) => wish !== null);
  return wishes.map(known).find((code) => code !== undefined) ?? 'en';
}

/** Remembers what a person chose. */
export function storeLanguage(/** @type {string} */ code) {
  try {
    localStorage.setItem(STORED, code);
  } catch {
    // The choice then holds until the page is left.
  }
}

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // a private window keeps nothing
  }
}

/** @returns {string|undefined} */
function known(/** @type {string} */ wish) {
  if (wish === PSEUDO) return PSEUDO;
  const code = wish.toLowerCase().split('-')[0];
  return code in languages ? code : undefined;
}
