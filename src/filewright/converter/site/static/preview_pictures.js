// @ts-check
/**
 * Pictures: fitted into the window, enlarged and moved about, and compared with what they were made of.
 *
 * A picture is always an `<img>`: a drawing with a script in it is only drawn. What the browser cannot draw is turned
 * into WebP by the service first.
 */
import { h } from './dom.js';
import { t } from './i18n.js';
import { isAbort, isSendable } from './preview_jobs.js';

const DRAWN = new Set(['image/jpeg', 'image/png', 'image/apng', 'image/webp', 'image/gif', 'image/avif', 'image/bmp', 'image/svg+xml',
  'image/vnd.microsoft.icon', 'image/x-icon', 'image/x-ms-bmp']);
const MOST_PIXELS = 60e6;
const MOST_BYTES = 60 << 20;
const LARGEST_SIDE = 3000;
const STEPS = [1, 1.25, 1.5, 2, 3, 4, 6, 8];

/** @typedef {import('./preview_jobs.js').Bench} Bench @typedef {import('./preview_jobs.js').Source} Source */

/**
 * The picture of an output.
 * @param {Bench} bench
 * @param {import('./preview.js').Item} item
 */
export async function pictureOf(bench, { output, source, width, height }) {
  const pixels = (width ?? 0) * (height ?? 0);
  if (DRAWN.has(output.media_type) && pixels <= MOST_PIXELS && output.bytes <= MOST_BYTES) {
    const picture = await drawn(bench, await bench.bytes(output.url));
    if (picture) return picture;
  }
  const large = Math.max(width ?? 0, height ?? 0) > LARGEST_SIDE;
  return converted(bench, source, large ? { width: LARGEST_SIDE, height: LARGEST_SIDE } : {});
}

/** The picture that the visitor's own file shows, or null. */
export async function pictureBefore(/** @type {Bench} */ bench, /** @type {any} */ row) {
  const { file } = row;
  if (file === null) return null;
  try {
    const picture = file.size <= MOST_BYTES && (await drawn(bench, file));
    if (picture) return picture;
    return isSendable(file) ? await converted(bench, { file, from: row.format }) : null;
  } catch (error) {
    if (isAbort(error)) throw error;
    return null; // what cannot be compared is shown alone
  }
}

/** The picture in some bytes, or null if the browser cannot draw them. @returns {Promise<HTMLImageElement|null>} */
async function drawn(/** @type {Bench} */ bench, /** @type {Blob} */ blob) {
  const picture = new Image();
  picture.src = bench.address(blob);
  picture.draggable = false;
  return picture.decode().then(() => picture, () => null);
}

/** The picture that the service makes of something. @returns {Promise<HTMLImageElement>} */
export async function converted(/** @type {Bench} */ bench, /** @type {Source} */ source, options = {}) {
  const { outputs } = await bench.convert(source, 'webp', options);
  return /** @type {any} */ (await drawn(bench, await bench.bytes(outputs[0].url))); // every browser draws WebP
}

/** A picture that can be enlarged, with a name for those who do not see it. */
export function pictureView(/** @type {HTMLImageElement} */ picture, /** @type {string} */ name) {
  picture.alt = name;
  const frame = zoomFrame(name);
  frame.show(picture, picture.naturalWidth, picture.naturalHeight, picture.naturalWidth);
  return { element: h('div', { class: 'preview-picture' }, frame.element), zoom: frame.zoom };
}

/**
 * Lays the picture before over the one after, with a slider that moves the border between them.
 * @param {{element: HTMLElement}} view the view of the picture after
 * @param {HTMLImageElement} before
 */
export function compare(view, before) {
  const box = /** @type {HTMLElement} */ (view.element.querySelector('.zoom-content'));
  const slider = h('input', { type: 'range', min: 0, max: 100, value: 50, dir: 'ltr', 'aria-label': t('preview.compare') });
  const move = () => {
    box.style.setProperty('--split', `${slider.value}%`);
    slider.setAttribute('aria-valuetext', t('preview.compare.value', { n: Number(slider.value) }));
  };
  slider.addEventListener('input', move);
  box.addEventListener('dragat', (/** @type {any} */ event) => {
    slider.value = String(event.detail * 100);
    move();
  });
  move();
  before.alt = '';
  before.className = 'before';
  box.classList.add('compared');
  box.append(before);
  view.element.append(h('div', { class: 'preview-compare', dir: 'ltr' },
    h('span', { 'aria-hidden': 'true' }, t('preview.before')), slider, h('span', { 'aria-hidden': 'true' }, t('preview.after'))));
}

/**
 * A frame whose content fills it, and more than it when enlarged; dragging and scrolling then move it. Dragging over
 * content that fits is told to the content as `dragat` with the share of the width.
 */
export function zoomFrame(/** @type {string} */ label) {
  const content = h('div', { class: 'zoom-content', dir: 'ltr' });
  const element = h('div', { class: 'zoom-frame', tabindex: 0, role: 'group', 'aria-label': label, dir: 'ltr' }, content);
  let scale = 1;

  /** Enlarges around the middle of what is seen, or around a point of it; `zoomed` tells the scale. */
  function zoom(/** @type {number} */ step, at = { x: element.clientWidth / 2, y: element.clientHeight / 2 }) {
    const next = step === 0 ? 1 : nextScale(scale, step);
    const point = share(content, element, at);
    scale = next;
    content.style.setProperty('--zoom', String(scale));
    element.classList.toggle('enlarged', scale > 1);
    element.scrollLeft = content.offsetLeft + content.clientWidth * point.x - at.x;
    element.scrollTop = content.offsetTop + content.clientHeight * point.y - at.y;
    element.dispatchEvent(new CustomEvent('zoomed', { detail: scale, bubbles: true }));
  }

  element.addEventListener('wheel', (/** @type {WheelEvent} */ event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = element.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1 : -1, { x: event.clientX - box.left, y: event.clientY - box.top });
  }, { passive: false });
  followDrag(element, content, () => scale > 1);

  /** Shows something of a shape, and never larger than `widest` as long as it is not enlarged. */
  function show(/** @type {Node} */ what, /** @type {number} */ width, /** @type {number} */ height, widest = Infinity) {
    content.replaceChildren(what);
    content.style.setProperty('--ratio', String((width || 4) / (height || 3)));
    content.style.setProperty('--widest', Number.isFinite(widest) && widest > 0 ? `${Math.max(widest, 64)}px` : '100cqw');
  }
  return { element, zoom, show };
}

const nextScale = (/** @type {number} */ scale, /** @type {number} */ step) =>
  (step > 0 ? STEPS.find((one) => one > scale) : STEPS.findLast((one) => one < scale)) ?? scale;

/** Which point of the content, as shares of its sides, is at `at` of its frame. */
function share(/** @type {HTMLElement} */ content, /** @type {HTMLElement} */ frame, /** @type {{x:number,y:number}} */ at) {
  return {
    x: (frame.scrollLeft + at.x - content.offsetLeft) / (content.clientWidth || 1),
    y: (frame.scrollTop + at.y - content.offsetTop) / (content.clientHeight || 1),
  };
}

function followDrag(/** @type {HTMLElement} */ frame, /** @type {HTMLElement} */ content, /** @type {() => boolean} */ isLarge) {
  const follow = (/** @type {PointerEvent} */ event) => {
    if (isLarge()) {
      frame.scrollLeft -= event.movementX;
      frame.scrollTop -= event.movementY;
    } else {
      const box = content.getBoundingClientRect();
      const detail = Math.min(1, Math.max(0, (event.clientX - box.left) / (box.width || 1)));
      content.dispatchEvent(new CustomEvent('dragat', { detail }));
    }
  };
  frame.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'touch' && isLarge()) return; // the browser scrolls by itself
    if (event.button !== 0 || event.target === frame) return;
    frame.setPointerCapture(event.pointerId);
    if (!isLarge()) follow(event);
    frame.addEventListener('pointermove', follow);
  });
  for (const end of ['pointerup', 'pointercancel']) frame.addEventListener(end, () => frame.removeEventListener('pointermove', /** @type {any} */ (follow)));
}
