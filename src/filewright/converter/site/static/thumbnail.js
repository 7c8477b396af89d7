// @ts-check
/**
 * The small picture at the head of a row: from the visitor's own file where the browser can draw it, else none.
 *
 * Only the first page of a PDF is drawn by the service, from a copy that is erased at once. Work is bounded: no huge
 * pictures, no large copies, two files at a time (one for pages), so that thirty dropped files do not choke the page.
 */
import { Bench, isSendable } from './preview_jobs.js';

const SIDE = 96;
const MOST_BYTES = 30 << 20;
const MOST_PIXELS = 40e6;
const LARGEST_PDF = 8 << 20;
const PATIENCE = 8000;
const TYPE = 'image/webp';

/**
 * An address of a small picture of the row's file, to be revoked by the caller; null if there is none to be had.
 * @param {{file: File|null, format: string|null}} row
 * @param {{api: import('./api.js').Api, signal?: AbortSignal}} by
 * @returns {Promise<string|null>}
 */
export async function thumbnail({ file, format }, { api, signal }) {
  if (!file) return null;
  try {
    const blob = await small(file, format === 'pdf' ? 'application/pdf' : file.type, api, signal);
    return blob && !signal?.aborted ? URL.createObjectURL(blob) : null;
  } catch {
    return null; // whatever is wrong with the file, its conversion will say
  }
}

/** @returns {Promise<Blob|null>} */
async function small(/** @type {File} */ file, /** @type {string} */ type, /** @type {any} */ api, /** @type {AbortSignal|undefined} */ signal) {
  const inTurn = (/** @type {Gate} */ gate, /** @type {() => Promise<Blob|null>} */ work) => gate.run(async () => (signal?.aborted ? null : work()));
  if (type === 'application/pdf') return isSendable(file, LARGEST_PDF) ? inTurn(pages, () => firstPage(file, api, signal)) : null;
  if (type.startsWith('video/')) return inTurn(pictures, () => at(file, frame));
  if (!type.startsWith('image/') || file.size > MOST_BYTES) return null;
  return inTurn(pictures, () => at(file, (url) => picture(url, type === 'image/svg+xml' ? null : file)));
}

/** Lets so many work at a time; the others wait in the order in which they came. */
class Gate {
  /** @type {((_: unknown) => void)[]} */
  #waiting = [];

  constructor(/** @type {number} */ places) {
    this.places = places;
  }

  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  async run(work) {
    if (this.places > 0) this.places -= 1;
    else await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next(null);
      else this.places += 1;
    }
  }
}

const pictures = new Gate(2);
const pages = new Gate(1);

/** Runs `work` with an address of the file that is good for as long. @template T @returns {Promise<T>} */
async function at(/** @type {Blob} */ file, /** @type {(url: string) => Promise<T>} */ work) {
  const url = URL.createObjectURL(file);
  try {
    return await work(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The header of a picture says how large it is, before anything is decoded. */
async function picture(/** @type {string} */ url, /** @type {Blob|null} */ pixels) {
  const image = new Image();
  image.src = url;
  await event(image, 'load');
  const [width, height] = fitted(image.naturalWidth || SIDE, image.naturalHeight || SIDE);
  if (image.naturalWidth * image.naturalHeight > MOST_PIXELS) return null;
  if (!pixels) return painted(image, width, height);
  const bitmap = await createImageBitmap(pixels, { resizeWidth: width, resizeHeight: height, resizeQuality: 'medium' });
  return painted(bitmap, width, height);
}

async function frame(/** @type {string} */ url) {
  const film = document.createElement('video');
  film.preload = 'auto';
  film.src = url;
  try {
    await event(film, 'loadeddata');
    // The very first picture is often black.
    film.currentTime = Math.min(1, film.duration / 3 || 0);
    await event(film, 'seeked');
    // It may be called ready before there is anything to draw.
    const dot = new OffscreenCanvas(1, 1).getContext('2d');
    for (let turns = 40; dot && turns; turns -= dot.getImageData(0, 0, 1, 1).data[3] ? turns : 1) {
      await new Promise((next) => setTimeout(next, 9));
      dot.drawImage(film, 0, 0, 1, 1);
    }
    return film.videoWidth ? await painted(film, ...fitted(film.videoWidth, film.videoHeight)) : null;
  } finally {
    film.removeAttribute('src');
    film.load();
  }
}

async function firstPage(/** @type {File} */ file, /** @type {any} */ api, /** @type {AbortSignal|undefined} */ signal) {
  const bench = new Bench(api);
  signal?.addEventListener('abort', () => bench.close());
  try {
    const { outputs } = await bench.convert({ file, from: 'pdf' }, 'webp', { pages: '1', width: 2 * SIDE, height: 2 * SIDE });
    return await bench.bytes(outputs[0].url);
  } finally {
    bench.close();
  }
}

/** Sides of the same shape that fit, in the dots of this screen. @returns {[number, number]} */
function fitted(/** @type {number} */ width, /** @type {number} */ height) {
  const scale = Math.min(1, (SIDE * Math.min(2, devicePixelRatio)) / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** @returns {Promise<Blob|null>} */
function painted(/** @type {CanvasImageSource} */ what, /** @type {number} */ width, /** @type {number} */ height) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  canvas.getContext('2d')?.drawImage(what, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, TYPE));
}

/** Waits for an event; an error, or nothing for long, is an error. */
function event(/** @type {HTMLElement} */ element, /** @type {string} */ name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(reject, PATIENCE);
    for (const [kind, settle] of /** @type {const} */ ([[name, resolve], ['error', reject]])) {
      element.addEventListener(kind, (happened) => {
        clearTimeout(timer);
        settle(happened);
      }, { once: true });
    }
  });
}
