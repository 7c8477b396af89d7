// @ts-check
/**
 * Elements from words. The page writes no markup from strings (its policy forbids it, and names of files come from
 * strangers), so every element comes from `h()`, and every text goes in as text.
 */

/** Set as properties, because as attributes they say only how an element began. */
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'hidden', 'indeterminate', 'selected']);

/**
 * @param {string} tag
 * @param {Record<string, any>} [props] `class`, `data` (an object), `onclick` and the like, attributes, the few properties
 * @param {...(Node|string|number|null|undefined|false|Array<any>)} children nothing is made of null, undefined, false
 * @returns {any} the element
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (PROPERTIES.has(name)) /** @type {any} */ (element)[name] = value;
    else attribute(element, name, value);
  }
  element.append(...kept(children));
  return element;
}

/** @param {any[]} children @returns {(Node|string)[]} */
export function kept(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** Sets, changes or (null, undefined, false) takes away an attribute; touches nothing that is so already. */
export function attribute(/** @type {Element} */ element, /** @type {string} */ name, /** @type {any} */ value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else {
    const text = value === true ? '' : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** Sets the text of an element, if it is another one. No node comes or goes where there is one: that would ask who else is concerned. */
export function text(/** @type {Element} */ element, /** @type {string} */ words) {
  const [node, ...others] = element.childNodes;
  if (node instanceof Text && !others.length && words) {
    if (node.data !== words) node.data = words;
  } else if (element.textContent !== words) element.textContent = words;
}

/**
 * A bar that says how far something is.
 *
 * In place of the native element, whose insides are laid out anew for each value: here the ground is drawn another way
 * and nothing else happens, so that a page of bars costs a frame next to nothing.
 *
 * @returns {{element: HTMLElement, show: (share: number|null) => void}} `share` of 1; null: on the way, who knows how far
 */
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

const SVG = 'http://www.w3.org/2000/svg';

/** @param {string} tag @param {Record<string, string|number>} attributes @param {...Node} children @returns {SVGElement} */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
