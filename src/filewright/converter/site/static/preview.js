// @ts-check
/**
 * The look at a result without downloading it: one dialog, one output at a time, each shown as what it is.
 *
 * This module has the dialog, its keys and the choice of the view, and the players; how pictures, pages and text are
 * shown is in the modules beside it. Nothing of a result ever runs: no frame, no markup from its bytes, drawings only in `<img>`.
 * What a view asks of the service is given up and erased when another output is shown, or the dialog closes.
 */
import { openDialog } from './dialog.js';
import { attribute, h, text } from './dom.js';
import { formatName, has, t } from './i18n.js';
import { icon } from './icons.js';
import { Bench, isAbort } from './preview_jobs.js';
import { pagesView } from './preview_pages.js';
import { compare, pictureBefore, pictureOf, pictureView } from './preview_pictures.js';
import { beginning, tableView, textView } from './preview_text.js';
import * as units from './units.js';

/**
 * @typedef {{id: string, name: string, family: string, targets: string[]}} Format
 * @typedef {import('./preview_jobs.js').Output} Output
 * @typedef {{output: Output, source: {job: string, output: number}, format: Format, width?: number, height?: number, stage?: any}} Item
 *   an output, how to name it to the service, and where it is shown
 * @typedef {{element: HTMLElement, note?: string, zoom?: (step: number) => void, turn?: (step: number) => void}} View
 *   `zoom` enlarges (1), makes smaller (-1) or fits (0); `turn` goes to another page
 */

const PAGED = new Set(['pdf', 'document', 'slides', 'ebook']);
const DELIMITERS = /** @type {Record<string, string>} */ ({ csv: ',', tsv: '\t' });
const ZOOMS = /** @type {Record<string, number>} */ ({ '+': 1, '=': 1, '-': -1, 0: 0 });
/** What browsers play, the best first. */
const PLAYABLE = { audio: [['mp3', 'audio/mpeg']], video: [['mp4', 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"'], ['webm', 'video/webm; codecs="vp9, opus"']] };
/** Keys that belong to what they are pressed in. */
const OWN_KEYS = 'input, audio, video, select, textarea';

/**
 * Opens the preview of a finished row. The focus goes back to where it was when the dialog closes.
 * @param {{row: any, api: any, catalogue: {format: (id: string) => Format|undefined}, onClose?: () => void}} wanted
 */
export function openPreview({ row, api, catalogue, onClose }) {
  const items = itemsOf(row.job, catalogue);
  let bench = new Bench(api);
  let at = 0;
  /** @type {View|null} */
  let view = null;

  async function show(/** @type {number} */ n) {
    if (n < 0 || n >= items.length) return;
    at = n;
    bench.close();
    bench = new Bench(api);
    view = null;
    describe(items[n]);
    parts.stage.replaceChildren();
    await attempt(async () => {
      const mine = bench;
      const made = await viewOf(mine, { ...items[n], stage: parts.stage }, row, attempt);
      if (mine.signal.aborted) return;
      view = made;
      parts.stage.replaceChildren(view.element);
      parts.zooming.hidden = !view.zoom;
      text(parts.note, view.note ?? '');
      text(parts.scale, units.percent(1));
      const before = view.zoom && isPicture(items[n].format) && isPicture(catalogue.format(row.format)) ? await pictureBefore(mine, row) : null;
      if (before) compare(view, before);
    });
  }

  /** Runs something that may take a while and may fail, and says both. */
  async function attempt(/** @type {() => Promise<void>} */ work) {
    const mine = bench;
    busy(parts, t('preview.busy'));
    try {
      await work();
    } catch (error) {
      if (!isAbort(error) && !mine.signal.aborted) fail(error);
    } finally {
      if (mine === bench) busy(parts, '');
    }
  }

  function fail(/** @type {any} */ error) {
    text(parts.note, `${t('preview.failed')} ${reason(error)}`);
    if (!view) parts.stage.replaceChildren(factsView(items[at]).element);
  }

  function describe(/** @type {Item} */ { output, format }) {
    text(/** @type {Element} */ (dialog.element.querySelector('h2')), output.name);
    dialog.element.setAttribute('aria-label', t('preview.of', { name: output.name }));
    text(parts.kind, kindOf(output, format));
    text(parts.note, '');
    parts.zooming.hidden = true;
    parts.download.setAttribute('href', output.url);
    parts.download.setAttribute('download', output.name);
    text(parts.position, t('preview.output', { n: at + 1, all: items.length }));
    attribute(parts.back, 'aria-disabled', at === 0 && 'true'); // not `disabled`: the focus would be lost
    attribute(parts.forward, 'aria-disabled', at === items.length - 1 && 'true');
  }

  /** @returns {boolean} whether the key meant something here */
  function press(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const target = /** @type {Element} */ (event.target);
    if (event.key in ZOOMS && view?.zoom) {
      view.zoom(ZOOMS[event.key]);
      return true;
    }
    if (target.closest(OWN_KEYS) || target.closest('.enlarged, .preview-text, .preview-table')) return false;
    const aside = ({ ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? 0) * (document.dir === 'rtl' ? -1 : 1);
    const down = { ArrowDown: 1, PageDown: 1, ArrowUp: -1, PageUp: -1 }[event.key] ?? 0;
    if (aside && items.length > 1) show(at + aside);
    else if ((aside || down) && view?.turn) view.turn(aside || down);
    else return false;
    return true;
  }

  const opener = /** @type {HTMLElement|null} */ (document.activeElement);
  const parts = frame(items.length > 1, { show: (step) => show(at + step), zoom: (step) => view?.zoom?.(step) });
  const dialog = openDialog({ title: row.name, kind: 'preview', content: parts.element, onClose: close });
  const leave = () => bench.close();
  // On the document, because the focus is on nothing when what had it is replaced.
  const keys = (/** @type {KeyboardEvent} */ event) => press(event) && event.preventDefault();
  document.addEventListener('keydown', keys);
  addEventListener('pagehide', leave);
  dialog.element.addEventListener('zoomed', (/** @type {any} */ event) => text(parts.scale, units.percent(event.detail)));

  function close() {
    bench.close();
    document.removeEventListener('keydown', keys);
    removeEventListener('pagehide', leave);
    if (opener?.isConnected) opener.focus();
    onClose?.();
  }

  show(0);
  return dialog;
}

/** @returns {Item[]} */
function itemsOf(/** @type {any} */ job, /** @type {{format: (id: string) => Format|undefined}} */ catalogue) {
  const id = job.target_format;
  const format = catalogue.format(id) ?? { id, name: id, family: 'unknown', targets: [] };
  return job.outputs.map((/** @type {Output} */ output, /** @type {number} */ n) => (
    { output, format, source: { job: job.id, output: n }, width: output.width, height: output.height }));
}

const isPicture = (/** @type {Format|undefined} */ format) => format?.family === 'image';

/**
 * The view that fits an output. Throws Problem.
 * @param {Bench} bench
 * @param {Item} item
 * @param {any} row
 * @param {(work: () => Promise<void>) => Promise<void>} attempt
 * @returns {Promise<View>}
 */
async function viewOf(bench, item, row, attempt) {
  const { output, format } = item;
  const can = (/** @type {string} */ target) => format.targets.includes(target);
  if (format.family === 'audio' || format.family === 'video') return playerView(bench, item, attempt);
  if (isPicture(format)) return pictureView(await pictureOf(bench, item), output.name);
  if (format.id === 'pdf' || (PAGED.has(format.family) && can('pdf'))) {
    return pagesView(bench, item, (error) => attempt(() => Promise.reject(error)));
  }
  if (format.family === 'archive') return can('txt') ? textView(await listed(bench, item)) : factsView(item);
  if (format.family === 'sheet' && can('csv')) return sheetView(bench, item);
  const start = await beginning(bench, output);
  if (start) return format.id in DELIMITERS ? tableView(start, DELIMITERS[format.id]) : textView(start);
  return can('csv') ? sheetView(bench, item) : factsView(item);
}

async function sheetView(/** @type {Bench} */ bench, /** @type {Item} */ { source }) {
  const { outputs } = await bench.convert(source, 'csv');
  const start = await beginning(bench, outputs[0]);
  return tableView(start ?? { text: '', whole: true }, ',');
}

async function listed(/** @type {Bench} */ bench, /** @type {Item} */ { source }) {
  const { outputs } = await bench.convert(source, 'txt');
  return await beginning(bench, outputs[0]) ?? { text: '', whole: true };
}

/** What there is to say of something that has no picture. @returns {View} */
function factsView(/** @type {Item} */ { output, format }) {
  const facts = [
    ['preview.fact.name', output.name],
    ['preview.fact.kind', formatName(format)],
    ['preview.fact.size', units.bytes(output.bytes)],
    ['preview.fact.type', output.media_type],
    ['preview.fact.hash', output.sha256],
  ];
  return {
    element: h('div', { class: 'preview-facts' }, icon(format.family),
      h('dl', {}, facts.map(([key, value]) => [h('dt', {}, t(key)), h('dd', { dir: 'auto' }, value)]))),
  };
}

/**
 * Sound and film in the browser's own players, straight from the service, which answers ranges. What the browser
 * cannot play is said, and a playable copy is offered: making one can take long, so nobody gets it unasked.
 * @param {Bench} bench
 * @param {Item} item
 * @param {(work: () => Promise<void>) => void} attempt runs something that takes a while and may fail
 */
function playerView(bench, { output, source, format }, attempt) {
  const kind = /** @type {'audio'|'video'} */ (format.family);
  const element = h('div', { class: `preview-player ${kind}` });

  function play(/** @type {string} */ url, /** @type {() => void} */ onRefused) {
    const player = h(kind, { src: url, controls: true, preload: 'metadata', 'aria-label': output.name });
    player.addEventListener('error', onRefused);
    bench.signal.addEventListener('abort', () => {
      player.pause();
      player.removeAttribute('src'); // ends the download
      player.load();
    });
    element.replaceChildren(player);
  }

  function offerCopy() {
    if (bench.signal.aborted) return;
    const [to] = PLAYABLE[kind].find(([id, type]) => id !== format.id && format.targets.includes(id) && document.createElement(kind).canPlayType(type)) ?? [];
    const button = to && h('button', { type: 'button', class: 'button', onclick: () => attempt(() => makeCopy(to)) }, t('preview.playable'));
    element.replaceChildren(h('p', {}, t('preview.unplayable')), button ?? '');
  }

  async function makeCopy(/** @type {string} */ to) {
    const { outputs } = await bench.convert(source, to);
    play(outputs[0].url, () => element.replaceChildren(h('p', {}, t('preview.unplayable'))));
  }

  play(output.url, offerCopy);
  return { element };
}

/** One line on what an output is. */
function kindOf(/** @type {Output} */ { bytes, pages, width, height, duration }, /** @type {Format} */ format) {
  return [
    formatName(format),
    units.bytes(bytes),
    pages && t('preview.count', { n: pages }),
    width && height && `${units.count(width)} × ${units.count(height)}`,
    duration && units.duration(duration),
  ].filter(Boolean).join(' · ');
}

const reason = (/** @type {any} */ { code, title, message }) => (has(`problem.${code}`) ? t(`problem.${code}`) : title || message);

/**
 * The dialog's parts, as they are before anything is shown.
 * @param {boolean} several whether there is more than one output
 * @param {{show: (step: number) => void, zoom: (step: number) => void}} on
 */
function frame(several, on) {
  const button = (/** @type {string} */ key, /** @type {any} */ sign, /** @type {() => void} */ onclick) =>
    h('button', { type: 'button', class: 'plain', 'aria-label': t(key), title: t(key), onclick }, sign);
  const position = h('output', {});
  const back = button('preview.back', icon('back'), () => on.show(-1));
  const forward = button('preview.forward', icon('forward'), () => on.show(1));
  const scale = h('output', {});
  const zooming = h('div', { class: 'preview-zoom', role: 'group', 'aria-label': t('preview.zoom'), hidden: true },
    button('preview.smaller', '−', () => on.zoom(-1)),
    h('button', { type: 'button', class: 'plain', 'aria-label': t('preview.fit'), title: t('preview.fit'), onclick: () => on.zoom(0) }, scale),
    button('preview.larger', '+', () => on.zoom(1)));
  const download = h('a', { class: 'button quiet small' }, icon('download'), t('row.download'));
  const stage = h('div', { class: 'preview-stage' });
  const kind = h('p', { class: 'preview-kind' });
  const note = h('p', { class: 'preview-note', role: 'status' });
  const element = h('div', { class: 'preview-body' },
    h('div', { class: 'preview-bar' },
      several && h('div', { class: 'preview-turn', role: 'group', 'aria-label': t('preview.outputs') }, back, position, forward),
      kind, zooming, download),
    stage, note);
  return { element, stage, kind, note, zooming, scale, position, back, forward, download };
}

function busy(/** @type {ReturnType<typeof frame>} */ { stage, note }, /** @type {string} */ words) {
  attribute(stage, 'aria-busy', words ? 'true' : null);
  if (words) text(note, words);
  else if (note.textContent === t('preview.busy')) text(note, '');
}
