// @ts-check
/**
 * One file on the page. What is shown follows from the row alone; `update` changes only what is another than before,
 * and heights are the style's, so that nothing moves while files are on their way. How far a file is, is shown while
 * its row is near the window; what it is, and what became of it, is shown at once wherever it is.
 *
 * The buttons call `actions`; what these do is the queue's business (and the dialogs').
 */
import { attribute, h, meter, text } from './dom.js';
import { formatName, has, language, t } from './i18n.js';
import { icon } from './icons.js';
import * as units from './units.js';

/** @typedef {import('./queue.js').Row} Row */
/**
 * @typedef {{catalogue: import('./api.js').Catalogue, thumbnail: (row: Row) => Promise<string|null>,
 *   chooseFor: (row: Row, anchor: Element) => void, optionsFor: (row: Row, anchor: Element) => void,
 *   start: (row: Row) => void, stop: (row: Row) => void, retry: (row: Row, change?: object) => void,
 *   preview: (row: Row) => void, curl: (row: Row) => void}} Actions
 */

const WORKING = new Set(['uploading', 'starting', 'queued', 'running']);
/** What a file itself is to blame for: the same again ends the same way. */
const FOR_GOOD = new Set(['unsupported_format', 'unsupported_conversion', 'empty_input', 'corrupt_input', 'too_many_pages', 'image_too_large', 'infected', 'too_large', 'archive_bomb', 'not_found', 'expired', 'file_gone', 'file_changed', 'upload_gone']);
/** What another target may change. */
const OTHER_TARGET = new Set(['unsupported_conversion', 'corrupt_input', 'type_mismatch', 'resource_limit', 'timeout', 'engine_missing', 'engine_crashed', 'output_invalid', 'quarantined']);

/**
 * @param {Row} first
 * @param {Actions} actions
 * @returns {{element: HTMLLIElement, update: (row: Row) => void, focusMain: () => void}}
 */
export function rowView(first, actions) {
  let row = first;
  let made = '';
  /** @type {unknown[]} */
  let shown = [];

  // The parts that stay. The end of a name stays in sight when its middle does not fit: what is seen is in two boxes.
  // What is read out, marked and copied is the whole, which lies unseen over them.
  const [stem, ending] = halves(row.name);
  const thumb = h('div', { class: 'thumb' });
  const about = h('p', { class: 'about' });
  const why = h('p', { class: 'why', hidden: true }, h('span'));
  const what = h('div', { class: 'what' },
    h('p', { class: 'name', title: row.path }, h('bdi', { class: 'whole' }, row.name),
      h('bdi', { class: 'halves', 'aria-hidden': 'true' }, h('span', { class: 'stem' }, stem), h('span', { class: 'ending' }, ending))), about, why);

  const short = h('strong');
  const long = h('small');
  const target = h('button', { type: 'button', class: 'target', 'aria-haspopup': 'dialog', onclick: () => actions.chooseFor(row, target) },
    short, long, icon('caret'));
  const options = h('button', { type: 'button', class: 'plain absent', 'aria-haspopup': 'dialog', onclick: () => actions.optionsFor(row, options) }, icon('options'));
  const goal = h('div', { class: 'goal' }, icon('arrow'), target, options);

  const label = h('p');
  const bar = meter(t('row.progress', { name: row.name }));
  const status = h('div', { class: 'status' }, label, bar.element);
  const buttons = h('div', { class: 'actions' });
  const side = h('div', { class: 'side' }, status, buttons);

  const end = h('button', { type: 'button', class: 'plain end', onclick: () => actions.stop(row) }, icon('close'));
  const element = h('li', { class: 'row', tabindex: -1 }, thumb, what, goal, side, end);

  /** Name, kind, size: what the file is. */
  function showWhat() {
    const format = actions.catalogue.format(row.format);
    const kind = format ? formatName(format) : row.phase === 'uploading' ? '' : t('row.unknown');
    const folder = row.path.includes('/') ? row.path.slice(0, row.path.lastIndexOf('/')) : '';
    const known = row.believed && kind ? t('row.believed', { format: kind }) : kind;
    text(about, [known, units.bytes(row.bytes), folder, ...fidelity(row)].filter(Boolean).join(' · '));
    about.title = about.textContent;
    const failed = row.phase === 'failed' && row.problem !== null;
    why.hidden = !failed;
    about.hidden = failed;
    if (failed) showWhy();
    showThumb(format);
  }

  function showWhy() {
    const { title, rest } = reason(row);
    const words = why.firstChild;
    if (words.textContent === `${title}${rest}`) return;
    words.replaceChildren(h('strong', {}, title), rest);
    why.querySelector('.link')?.remove();
    requestAnimationFrame(() => {
      if (words.scrollHeight > words.clientHeight + 2) why.append(more());
    });
  }

  function more() {
    const button = h('button', {
      type: 'button', class: 'link', 'aria-expanded': 'false', 'aria-label': t('row.more.label', { name: row.name }),
      onclick: () => attribute(button, 'aria-expanded', String(element.classList.toggle('open'))),
    }, t('row.more'));
    return button;
  }

  function showThumb(/** @type {any} */ format) {
    const shown = row.phase === 'failed' ? (isLocked(row) ? 'lock' : 'alert') : format?.family ?? 'unknown';
    const key = `${shown} ${row.believed} ${row.upload}`;
    if (thumb.dataset.key === key) return;
    thumb.dataset.key = key;
    if (row.phase === 'failed' || !thumb.querySelector('img')) thumb.replaceChildren(icon(shown));
    if (row.phase !== 'failed') whenNear(element, async () => {
      const url = await actions.thumbnail(row).catch(() => null);
      if (url && thumb.dataset.key === key) thumb.replaceChildren(h('img', { src: url, alt: '', onload: () => URL.revokeObjectURL(url) }));
    });
  }

  /** What it becomes, or became. */
  function showGoal() {
    const format = actions.catalogue.format(row.target);
    text(short, format ? format.extensions[0].toUpperCase() : t('row.choose'));
    text(long, row.phase === 'succeeded' ? result(row) : format ? formatName(format) : '');
    target.classList.toggle('empty', !format);
    const open = row.phase !== 'starting' && row.phase !== 'queued' && row.phase !== 'running' && row.targets.length > 0;
    if (target.disabled === open) target.disabled = !open;
    attribute(target, 'aria-label', format ? t('row.to', { name: row.name, format: `${short.textContent}, ${long.textContent}` }) : t('row.choose.label', { name: row.name }));
    const changed = Object.keys(row.options).length > 0;
    attribute(options, 'aria-label', t(changed ? 'row.options.changed' : 'row.options', { name: row.name }));
    options.classList.toggle('with-dot', changed);
    showOptions();
  }

  /** The button for options is there where the way has any, and only until it is gone. */
  function showOptions() {
    const key = isIdle(row) && row.format && row.target ? `${row.format} ${row.target}` : '';
    if (options.dataset.way === key) return;
    options.dataset.way = key;
    options.classList.add('absent');
    if (key) whenNear(element, async () => {
      const route = await actions.catalogue.route(/** @type {string} */ (row.format), /** @type {string} */ (row.target)).catch(() => null);
      if (options.dataset.way === key) options.classList.toggle('absent', !route || Object.keys(route.options).length === 0);
    });
  }

  /** How it stands. */
  function showStatus() {
    const { words, share } = standing(row);
    // In one text, from its start: a text of its own at the end of the line would move with each change.
    const left = row.secondsLeft === null ? [] : [t('row.left', { time: units.duration(row.secondsLeft) })];
    text(label, [words, ...left].join(' · '));
    status.hidden = !words;
    bar.element.hidden = share === undefined;
    if (share !== undefined) bar.show(share);
    const working = row.phase !== 'uploading' ? WORKING.has(row.phase) : row.wanted;
    attribute(end, 'aria-label', t(working ? 'row.cancel' : 'row.remove', { name: row.name }));
  }

  /** What can be done now. The buttons are made anew only when other ones are needed. */
  function showActions() {
    const key = [row.phase, row.wanted, Boolean(row.target), row.problem?.code, row.job?.id].join();
    if (made === key) return;
    made = key;
    const held = element.contains(document.activeElement) && (buttons.contains(document.activeElement) || document.activeElement === element);
    buttons.replaceChildren(...actionsOf(row));
    attribute(element, 'data-phase', row.phase);
    // Whoever started the row from the keyboard goes on from it: to what came of it, as soon as there is something.
    if (held) (buttons.querySelector('input, a, button:not(:disabled)') ?? element).focus({ preventScroll: true });
  }

  const button = (/** @type {string} */ key, /** @type {() => void} */ action, /** @type {any} */ values = {}, kind = '') =>
    h('button', { type: 'button', class: `button small ${kind}`, 'aria-label': t(`${key}.label`, { name: row.name, ...values }), onclick: action }, t(key, values));

  /** @returns {HTMLElement[]} */
  function actionsOf(/** @type {Row} */ now) {
    if (isIdle(now)) {
      const start = button('row.convert', () => actions.start(row));
      start.disabled = !now.target;
      return now.target ? [start, curl()] : [start];
    }
    if (now.phase === 'succeeded') return results(now);
    if (now.phase === 'failed') return remedies(now);
    if (now.phase === 'cancelled') return [button('row.retry', () => actions.retry(row), {}, 'quiet')];
    return [];
  }

  const curl = () => h('button', { type: 'button', class: 'plain', 'aria-label': t('row.curl', { name: row.name }), title: t('row.curl', { name: row.name }), onclick: () => actions.curl(row) }, icon('code'));

  /** @returns {HTMLElement[]} */
  function results(/** @type {Row} */ now) {
    const { id, outputs } = /** @type {any} */ (now.job);
    const several = outputs.length > 1;
    const words = several ? 'row.download.all' : 'row.download';
    const download = h('a', {
      class: 'button small', href: several ? `/v1/jobs/${id}/outputs` : outputs[0].url, download: several ? '' : outputs[0].name,
      'aria-label': t(`${words}.label`, { name: several ? now.name : outputs[0].name }),
    }, t(words));
    return [download, button('row.preview', () => actions.preview(row), {}, 'quiet'), curl()];
  }

  /** @returns {HTMLElement[]} */
  function remedies(/** @type {Row} */ now) {
    const code = now.problem?.code ?? 'internal';
    if (isLocked(now)) return [unlock()];
    const found = [];
    const real = code === 'type_mismatch' ? realFormat(now) : undefined;
    if (real) found.push(button('row.as', () => actions.retry(row, { from: real.id, target: goalFrom(real) }), { format: real.extensions[0].toUpperCase() }));
    else if (!FOR_GOOD.has(code)) found.push(button('row.retry', () => actions.retry(row)));
    if (OTHER_TARGET.has(code) && now.targets.length > 1) {
      const other = button('row.again', () => actions.chooseFor(row, other), {}, 'quiet');
      attribute(other, 'aria-haspopup', 'dialog');
      found.push(other);
    }
    return found;
  }

  /** The password is asked for where it is missing. */
  function unlock() {
    const input = h('input', { type: 'password', autocomplete: 'off', required: true, placeholder: t('row.password'), 'aria-label': t('row.password.label', { name: row.name }) });
    const send = (/** @type {Event} */ event) => {
      event.preventDefault();
      element.focus({ preventScroll: true });
      actions.retry(row, { password: input.value });
    };
    return h('form', { onsubmit: send }, input, h('button', { type: 'submit', class: 'button small' }, t('row.unlock')));
  }

  /** What the content is in truth, where the service said so. */
  function realFormat(/** @type {Row} */ now) {
    const said = /** @type {any} */ (now.problem);
    return actions.catalogue.format(said.format ?? now.format);
  }

  /** The target wanted, if that can be made of the real format, else what is most usual. */
  const goalFrom = (/** @type {any} */ real) => (real.targets.includes(row.target) ? row.target : real.suggested_targets[0] ?? real.targets[0]);

  function update(/** @type {Row} */ next) {
    row = next;
    const traits = traitsOf(row);
    if (traits.every((trait, n) => trait === shown[n])) {
      whenNear(element, showStatus);
      return;
    }
    shown = traits;
    showWhat();
    showGoal();
    showStatus();
    showActions();
  }

  watcher.observe(element);
  update(row);
  return { element, update, focusMain: () => (buttons.querySelector('button:not(:disabled), a') ?? target).focus() };
}

/** All of a row but how far it is, in values that are the same while it is. */
const traitsOf = (/** @type {Row} */ row) =>
  [row.phase, row.wanted, row.offline, row.upload, row.format, row.believed, row.targets, row.target, row.options, row.problem, row.job?.id];

/** Not started: the target is still to be chosen, or the button to be pressed. */
const isIdle = (/** @type {Row} */ row) => row.phase === 'ready' || (row.phase === 'uploading' && !row.wanted);

const isLocked = (/** @type {Row} */ row) => row.problem?.code === 'password_required' || row.problem?.code === 'wrong_password';

/** @param {Row} row @returns {{words: string, share?: number|null}} `share`: null while working on who knows how much */
function standing(row) {
  const sent = row.bytes ? row.sent / row.bytes : 0;
  const share = units.percent(sent);
  if (row.phase === 'uploading') {
    if (row.offline) return { words: t('row.paused', { share }), share: sent };
    if (sent >= 1) return { words: t('row.checking'), share: null };
    return { words: row.sent || !row.wanted ? t('row.uploading', { share }) : t('row.waits'), share: sent };
  }
  if (row.phase === 'starting') return { words: t('row.starting'), share: null };
  if (row.phase === 'queued') {
    const place = row.job?.queue_position;
    return { words: place === undefined || place <= 1 ? t('row.queued.next') : t('row.queued', { n: place }), share: 0 };
  }
  if (row.phase === 'running') {
    const done = (row.job?.progress ?? 0) / 100;
    const stage = row.job?.stage;
    const words = stage && stage !== 'converting' ? t(`row.stage.${stage}`) : t('row.running', { share: units.percent(done) });
    return { words, share: done };
  }
  if (row.phase === 'cancelled') return { words: t('row.cancelled') };
  if (row.phase === 'expired') return { words: t('row.expired') };
  return { words: '' };
}

/** `340 KB · −72 %`, and how many files. */
function result(/** @type {Row} */ row) {
  const outputs = row.job?.outputs ?? [];
  const size = outputs.reduce((/** @type {number} */ sum, /** @type {any} */ output) => sum + output.bytes, 0);
  const parts = [units.bytes(size)];
  if (outputs.length > 1) parts.unshift(t('row.outputs', { n: outputs.length }));
  else if (row.bytes && size / row.bytes < 10) parts.push(units.change(row.bytes, size));
  return parts.join(' · ');
}

/** `12 pages · 99.8 % of the text · 1 font replaced: Calibri → Carlito`: how true the result is, where that is known. */
function fidelity(/** @type {Row} */ { phase, job }) {
  const found = phase === 'succeeded' && job?.fidelity;
  if (!found) return [];
  const { pages, text_recall: share, missing_glyphs: boxes, substituted_fonts: fonts } = found;
  return [
    t('preview.count', { n: pages }),
    share !== null && t('row.words', { share: units.percent(share, 1) }),
    boxes && t('row.boxes', { n: boxes }),
    fonts.length && t('row.fonts', { n: fonts.length, fonts: fonts.map((/** @type {any} */ { asked, got }) => `${asked} → ${got ?? '?'}`).join(', ') }),
  ];
}

/** A detail that speaks to whoever calls the API: of parameters, code, or options of the command line. */
const FOR_CALLERS = /`|\b\w+=|--\w/;

/**
 * What failed, and why or what to do. The service explains in English and to everyone; in other languages, and where
 * its words are for programmers, the page's own advice is read.
 */
export function reason(/** @type {Row} */ row) {
  const { code, title, detail } = /** @type {any} */ (row.problem);
  const own = has(`problem.${code}`) ? t(`problem.${code}`) : title || code;
  const clear = language() === 'en' && detail && detail !== title && !FOR_CALLERS.test(detail);
  const advice = clear ? detail : has(`advice.${code}`) ? t(`advice.${code}`) : detail;
  if (!advice) return { title: own, rest: '' };
  return { title: own, rest: advice.startsWith(own) ? advice.slice(own.length) : `. ${advice}` };
}

/** A name in two: what may be cut, and its end with the ending, which says most. @returns {[string, string]} */
function halves(/** @type {string} */ name) {
  const letters = [...name];
  const kept = Math.min(12, Math.floor(letters.length / 2));
  return [letters.slice(0, letters.length - kept).join(''), letters.slice(letters.length - kept).join('')];
}

/** What is to be done for a row that is far from the window. @type {WeakMap<Element, Set<() => void>>} */
const waiting = new WeakMap();
/** @type {WeakSet<Element>} */
const near = new WeakSet();
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) near.add(target);
    else near.delete(target);
    if (!isIntersecting) continue;
    const tasks = waiting.get(target) ?? [];
    waiting.delete(target);
    for (const task of tasks) task();
  }
}, { rootMargin: '200px' });

/** Does something for a row now or, once however often it was asked, when it comes near: what nobody sees costs nothing. */
function whenNear(/** @type {Element} */ element, /** @type {() => void} */ task) {
  if (near.has(element)) task();
  else waiting.set(element, (waiting.get(element) ?? new Set()).add(task));
}
