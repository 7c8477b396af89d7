// @ts-check
/**
 * The one way in which something opens over the page: a native modal dialog with a title and a close button. The
 * browser keeps the focus inside, closes it on Escape and gives the focus back; a click beside it closes it, too.
 */
import { h } from './dom.js';
import { icon } from './icons.js';
import { t } from './i18n.js';

/**
 * @param {{title:string, content:any, kind?:string, quietTitle?:boolean, onClose?:() => void}} parts `kind` is its
 *   class; a quiet title is read but not seen
 * @returns {{element: HTMLDialogElement, close: () => void}} open already
 */
export function openDialog({ title, content, kind = '', quietTitle = false, onClose }) {
  const close = () => element.close();
  const heading = h('h2', { class: quietTitle ? 'unseen' : '' }, title);
  const cross = h('button', { type: 'button', class: 'plain', 'aria-label': t('dialog.close'), onclick: close }, icon('close'));
  const element = h('dialog', { class: `dialog ${kind}`, 'aria-label': title },
    h('div', { class: 'dialog-head' }, heading, cross), content);
  element.addEventListener('click', (/** @type {MouseEvent} */ event) => {
    if (event.target === element && isBeside(element, event)) close();
  });
  element.addEventListener('close', () => {
    element.remove();
    onClose?.();
  });
  document.body.append(element);
  element.showModal();
  return { element, close };
}

/** Whether a click on a dialog fell on what lies around it. */
function isBeside(/** @type {Element} */ element, /** @type {MouseEvent} */ event) {
  const box = element.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

/** Lower than this a dialog is not made to fit beside what opened it; it then covers it. */
const LEAST = 320;

/**
 * Puts an open dialog under (or over) what opened it. On a narrow window the sheet rests at the bottom instead.
 * @param {HTMLDialogElement} element
 * @param {Element} anchor
 */
export function placeBy(element, anchor) {
  if (window.innerWidth < 640) return;
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = element; // its full size, which it may still be growing to
  const start = document.dir === 'rtl' ? at.right - width : at.left;
  const below = window.innerHeight - at.bottom - 16;
  const above = at.top - 16;
  const under = below >= height || below >= above;
  const room = Math.max(Math.min(height, under ? below : above), Math.min(height, LEAST));
  const top = under ? Math.min(at.bottom + 8, window.innerHeight - room - 8) : Math.max(8, at.top - room - 8);
  element.classList.add('placed');
  Object.assign(element.style, {
    left: `${Math.max(8, Math.min(start, document.body.clientWidth - width - 8))}px`, top: `${top}px`, height: `${room}px`,
  });
}
