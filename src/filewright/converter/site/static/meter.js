// @ts-check
/**
 * A bar that says how far something is.
 *
 * In place of the native element, whose insides are laid out anew for each value: here the ground is drawn another way
 * and nothing else happens, so that a page of bars costs a frame next to nothing.
 */
import { attribute, h } from './dom.js';

/** @returns {{element: HTMLElement, show: (share: number|null) => void}} `share` of 1; null: on the way, who knows how far */
export function meter(label = '') {
  const element = h('div', { class: 'meter', role: 'progressbar', 'aria-label': label });
  return {
    element,
    show(share) {
      attribute(element, 'aria-valuenow', share === null ? null : Math.floor(share * 100));
      const size = `${(share ?? 0) * 100}% 100%`;
      if (element.style.backgroundSize !== size) element.style.backgroundSize = size;
    },
  };
}
