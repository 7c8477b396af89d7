// @ts-check
/**
 * Light or dark: as the system wishes, or as a person chose here. Loaded before the first paint, so that a dark room
 * sees no white flash.
 */
const STORED = 'filewright.theme';

/** @typedef {'auto'|'light'|'dark'} Theme */
const ORDER = /** @type {const} */ (['auto', 'light', 'dark']);

/** @type {Theme} */
let current = remembered();
show();

/** What holds now. */
export const theme = () => current;

/** Goes on to the next of system, light, dark, and remembers it. @returns {Theme} */
export function nextTheme() {
  current = ORDER[(ORDER.indexOf(current) + 1) % ORDER.length];
  try {
    localStorage.setItem(STORED, current);
  } catch {
    // A private window keeps nothing; the choice then holds until the page is left.
  }
  show();
  return current;
}

function show() {
  if (current === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = current;
}

/** @returns {Theme} */
function remembered() {
  try {
    const found = /** @type {Theme} */ (localStorage.getItem(STORED));
    return ORDER.includes(found) ? found : 'auto';
  } catch {
    return 'auto';
  }
}
