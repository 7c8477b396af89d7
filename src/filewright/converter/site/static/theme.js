// @ts-check
/**
 * Light or dark: as the system wishes, or as a person chose here. Loaded before the first paint, so that a dark room
 * sees no white flash. For the same reason it remembers whether the page had files, so that a reload begins with the
 * look in which they will appear, and keeps the served words back from whoever reads another language.
 */
import { preferredLanguage } from './visitor.js';

const STORED = 'filewright.theme';
const WORKED = 'filewright.working';
const LONGEST_SILENCE = 2000;

/** @typedef {'auto'|'light'|'dark'} Theme */
const ORDER = /** @type {const} */ (['auto', 'light', 'dark']);

/** @type {Theme} */
let current = remembered();
show();
if (had()) {
  document.documentElement.dataset.state = 'working';
  holdBack('restoring');
}
if (preferredLanguage() !== 'en') holdBack('silent');

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

/** What would be seen to jump or change at once. Not for long: better a jump than nothing. */
function holdBack(/** @type {'restoring'|'silent'} */ reason) {
  document.documentElement.dataset[reason] = '';
  setTimeout(() => delete document.documentElement.dataset[reason], LONGEST_SILENCE);
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

/** Whether there are files, for the next load of this tab. */
export function remember(/** @type {boolean} */ working) {
  if (working === had()) return;
  try {
    if (working) sessionStorage.setItem(WORKED, 'yes');
    else sessionStorage.removeItem(WORKED);
  } catch {
    // Then a reload begins with the empty look.
  }
}

function had() {
  try {
    return sessionStorage.getItem(WORKED) !== null;
  } catch {
    return false;
  }
}
