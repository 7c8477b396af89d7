// @ts-check
/**
 * Documents as their pages: one large, all in a strip beside it.
 *
 * Pages are drawn by the service, a few at a time and only those that somebody is about to see. What is no PDF becomes
 * one first, once, so that an office program runs once and not for each handful of pages; until then its first page is
 * shown, which the service makes out of the beginning alone.
 */
import { h, text } from './dom.js';
import { t } from './i18n.js';
import { isAbort } from './preview_jobs.js';
import { converted, pictureView, zoomFrame } from './preview_pictures.js';

/** The first page waits for the others of its batch. */
const BATCH = 2;
const SIZE = { width: 1200, height: 1600 };
const FINE_SIZE = { width: 2800, height: 3600 };
const FINE_FROM = 2;

/** @typedef {import('./preview_jobs.js').Bench} Bench @typedef {import('./preview_jobs.js').Source} Source */

/**
 * @param {Bench} bench
 * @param {import('./preview.js').Item} item
 * @param {(problem: any) => void} onProblem told of a page that could not be drawn later on
 */
export async function pagesView(bench, item, onProblem) {
  const pdf = await asPdf(bench, item);
  const drawer = new Drawer(bench, pdf.source, pdf.pages);
  const pages = [...Array(pdf.pages).keys()].map((n) => n + 1);
  await drawer.page(1);
  const frame = zoomFrame('');
  const position = h('output', { class: 'preview-position' });
  const strip = pdf.pages > 1 ? pageStrip(pages, { choose: turnTo, seen: fill, left: (n) => drawer.forget(n) }) : null;
  let current = 0;
  let scale = 1;

  function display(/** @type {number} */ n, /** @type {string} */ url) {
    strip?.fill(n, url);
    if (n !== current) return;
    const picture = pageImage(url, t('preview.page', { n, all: pdf.pages }));
    picture.decode().catch(() => {}).then(() => n === current && frame.show(picture, picture.naturalWidth, picture.naturalHeight));
  }

  async function fill(/** @type {number} */ n) {
    try {
      display(n, await drawer.page(n));
    } catch (error) {
      if (!isAbort(error)) onProblem(error);
    }
  }

  function turnTo(/** @type {number} */ n) {
    if (n === current || n < 1 || n > pdf.pages) return;
    current = n;
    const words = t('preview.page', { n, all: pdf.pages });
    frame.element.setAttribute('aria-label', words);
    text(position, words);
    strip?.mark(n);
    fill(n).then(sharpen);
  }

  async function sharpen() {
    if (scale < FINE_FROM) return;
    const n = current;
    const url = await drawer.fine(n).catch(() => null); // it is seen already, only less sharp
    if (url) display(n, url);
  }

  frame.element.addEventListener('zoomed', (/** @type {any} */ event) => {
    scale = event.detail;
    sharpen();
  });
  turnTo(1);
  return {
    element: h('div', { class: strip ? 'preview-pages with-strip' : 'preview-pages' }, strip?.element, frame.element, strip && position),
    zoom: frame.zoom,
    turn: (/** @type {number} */ step) => turnTo(current + step),
  };
}

/** @returns {Promise<{source: Source, pages: number}>} */
async function asPdf(/** @type {Bench} */ bench, /** @type {import('./preview.js').Item} */ { format, source, output, stage }) {
  if (format.id === 'pdf') return { source, pages: output.pages ?? 1 };
  converted(bench, source, { preview: true, ...SIZE })
    .then((picture) => stage.firstChild || stage.append(pictureView(picture, output.name).element), () => {}); // not every format has it
  const { job, outputs } = await bench.convert(source, 'pdf');
  return { source: { job, output: 0 }, pages: outputs[0].pages ?? 1 };
}

const pageImage = (/** @type {string} */ url, /** @type {string} */ alt) =>
  /** @type {HTMLImageElement} */ (h('img', { src: url, alt, draggable: 'false' }));

/** Draws batches of pages, one batch at a time, the one asked for last first. */
class Drawer {
  /** @type {Map<number, {promise: Promise<string>, resolve: (url: string) => void, reject: (reason: any) => void}>} */
  #pages = new Map();
  /** @type {Map<number, Promise<string>>} */
  #fine = new Map();
  /** @type {number[]} batches nobody has begun */
  #waiting = [];
  #works = false;

  constructor(/** @type {Bench} */ bench, /** @type {Source} */ source, /** @type {number} */ count) {
    this.bench = bench;
    this.source = source;
    this.count = count;
  }

  /** The address of the picture of a page. @returns {Promise<string>} */
  page(/** @type {number} */ n) {
    const batch = batchOf(n);
    if (!this.#pages.has(n) || this.#waiting.includes(batch)) {
      this.#waiting = [...this.#waiting.filter((one) => one !== batch), batch];
    }
    for (const one of this.#numbers(batch)) if (!this.#pages.has(one)) this.#pages.set(one, promised());
    if (!this.#works) this.#work();
    return /** @type {any} */ (this.#pages.get(n)).promise;
  }

  /** The same page with more pixels. */
  fine(/** @type {number} */ n) {
    const found = this.#fine.get(n) ?? this.#draw(String(n), FINE_SIZE).then(([url]) => url);
    this.#fine.set(n, found);
    return found;
  }

  /** A page that is out of sight need not be drawn, if that has not begun. */
  forget(/** @type {number} */ n) {
    const batch = batchOf(n);
    if (!this.#waiting.includes(batch)) return;
    this.#waiting = this.#waiting.filter((one) => one !== batch);
    for (const one of this.#numbers(batch)) this.#pages.delete(one);
  }

  async #work() {
    this.#works = true;
    for (let batch = this.#waiting.pop(); batch !== undefined; batch = this.#waiting.pop()) {
      const numbers = this.#numbers(batch);
      const promises = numbers.map((n) => /** @type {any} */ (this.#pages.get(n)));
      try {
        const urls = await this.#draw(`${numbers[0]}-${numbers.at(-1)}`, SIZE);
        promises.forEach((one, n) => one.resolve(urls[n]));
      } catch (error) {
        promises.forEach((one) => one.reject(error));
        numbers.forEach((n) => this.#pages.delete(n)); // so that choosing the page again tries again
      }
    }
    this.#works = false;
  }

  async #draw(/** @type {string} */ pages, /** @type {object} */ size) {
    const { outputs } = await this.bench.convert(this.source, 'webp', { pages, ...size });
    const blobs = await Promise.all(outputs.map((output) => this.bench.bytes(output.url)));
    return blobs.map((blob) => this.bench.address(blob));
  }

  #numbers(/** @type {number} */ batch) {
    const first = batch * BATCH + 1;
    return [...Array(Math.min(BATCH, this.count - first + 1)).keys()].map((n) => first + n);
  }
}

const batchOf = (/** @type {number} */ n) => Math.floor((n - 1) / BATCH);

function promised() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {}); // whoever shows the page handles it; others of its batch may have no one yet
  return made;
}

/**
 * A button for each page. `seen` and `left` tell which come into sight and go out of it.
 * @param {number[]} pages
 * @param {{choose: (n: number) => void, seen: (n: number) => void, left: (n: number) => void}} on
 */
function pageStrip(pages, on) {
  const buttons = pages.map((n) => h('button', {
    type: 'button', class: 'preview-leaf', data: { page: n }, 'aria-label': t('preview.page', { n, all: pages.length }), onclick: () => on.choose(n),
  }, h('span', { class: 'leaf-paper' }), h('span', { 'aria-hidden': 'true' }, n)));
  const element = h('nav', { class: 'preview-strip', 'aria-label': t('preview.pages') }, buttons);
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const n = Number(/** @type {HTMLElement} */ (target).dataset.page);
      if (isIntersecting) on.seen(n);
      else on.left(n);
    }
  }, { root: element });
  for (const button of buttons) watch.observe(button);
  return {
    element,
    fill(/** @type {number} */ n, /** @type {string} */ url) {
      const paper = /** @type {Element} */ (buttons[n - 1].firstChild);
      if (!paper.firstChild) paper.append(pageImage(url, ''));
    },
    mark(/** @type {number} */ n) {
      for (const button of buttons) button.removeAttribute('aria-current');
      buttons[n - 1].setAttribute('aria-current', 'page');
      buttons[n - 1].scrollIntoView({ block: 'nearest', inline: 'nearest' });
    },
  };
}
