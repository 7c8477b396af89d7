// @ts-check
/** The menu of whoever is signed in closes like any other: by Escape, and by a click beside it. */
const menu = /** @type {HTMLDetailsElement} */ (document.querySelector('details.person'));

addEventListener('click', ({ target }) => menu.contains(/** @type {Node} */ (target)) || (menu.open = false));
menu.addEventListener('keydown', ({ key }) => {
  if (key !== 'Escape' || !menu.open) return;
  menu.open = false;
  menu.querySelector('summary')?.focus();
});
