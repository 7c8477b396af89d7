// @ts-check
/**
 * What a file should become: the usual targets first, then all by family, and a search that takes what people say
 * ("word", "web image") as well as names and endings. One list under one text field: the field keeps the focus, the
 * arrows move a mark through the list (as in any combobox), Enter takes it, Escape leaves.
 *
 * What cannot be had is shown when it is asked for, with the reason. What a way costs is told below the list.
 */
import { openDialog, placeBy } from './dialog.js';
import { attribute, h } from './dom.js';
import { formatName, has, t } from './i18n.js';
import { icon } from './icons.js';

/** @typedef {import('./api.js').Format} Format @typedef {import('./queue.js').Row} Row */

const FAMILIES = ['document', 'pdf', 'image', 'sheet', 'slides', 'markup', 'ebook', 'audio', 'video', 'subtitle', 'data', 'geo', 'cad', 'archive', 'email', 'font'];

/** What people say for formats, beside their names and endings, in English; the texts add their language's (`said.<id>`). */
const SAID = /** @type {Record<string, string>} */ ({
  pdf: 'acrobat adobe portable print printable paper', docx: 'word msword ms microsoft office writer letter', doc: 'word old 97 2003',
  odt: 'open libre office writer', rtf: 'rich wordpad', xlsx: 'excel ms microsoft office spreadsheet workbook calc table', xls: 'excel old 97 2003 spreadsheet',
  ods: 'open libre office calc spreadsheet', pptx: 'powerpoint ms microsoft office slides presentation deck', odp: 'open libre office impress slides',
  jpg: 'jpeg photo picture image web small', png: 'picture image web screenshot transparent lossless', webp: 'web image picture photo google small',
  avif: 'web image picture photo modern small', gif: 'animation animated moving web image picture', svg: 'vector web image drawing', heic: 'iphone apple photo',
  tiff: 'tif scan print picture image', ico: 'favicon icon', bmp: 'paint windows', mp3: 'music audio sound song podcast', m4a: 'apple itunes iphone music',
  wav: 'audio sound uncompressed', flac: 'lossless music audio', ogg: 'vorbis music', opus: 'voice small audio', mp4: 'video film movie h264 mpeg4 web phone',
  webm: 'web video film', mov: 'apple quicktime iphone', mkv: 'matroska film movie', md: 'markdown readme github', txt: 'text plain notepad words ocr',
  html: 'web page website webpage site browser', epub: 'ebook book reader kobo kindle', csv: 'excel table comma spreadsheet', tsv: 'table tab', json: 'javascript api data',
  yaml: 'config', xml: 'data markup', zip: 'archive compressed folder', '7z': 'seven zip', 'tar.gz': 'tgz linux unix', srt: 'subtitles captions', vtt: 'subtitles captions web youtube',
  tex: 'latex overleaf', parquet: 'columns spark pandas', sqlite: 'database sql', geojson: 'map gis', kml: 'google earth map', 'shp.zip': 'shapefile esri arcgis map',
  gpx: 'gps track route', stl: '3d print mesh', obj: '3d mesh', glb: '3d web', woff2: 'web font', ics: 'calendar appointment outlook', vcf: 'contact address vcard',
  eml: 'mail email outlook message', mbox: 'mail email thunderbird', ppt: 'powerpoint old 97 2003 slides', mobi: 'kindle old ebook', azw3: 'kindle amazon ebook',
  psd: 'adobe layers', jxl: 'modern small photo picture', eps: 'vector illustrator print logo', aac: 'music audio sound', avi: 'old windows film movie', wmv: 'windows film movie',
  mpg: 'mpeg2 dvd film movie', ass: 'subtitles captions anime', ndjson: 'json lines jsonl', toml: 'config settings', arrow: 'columns pandas feather', ipynb: 'python notebook',
  kmz: 'google earth map', gpkg: 'qgis map gis', ply: '3d scan mesh', '3mf': '3d print', gltf: '3d web', dxf: 'cad autocad drawing', ttf: 'desktop font install', otf: 'desktop font install',
  ps: 'printer', docm: 'word macros', 'tar.xz': 'linux small', ttml: 'subtitles captions broadcast',
});
const MOST_REFUSED = 4;

/**
 * @param {{anchor: Element, row: Row, catalogue: import('./api.js').Catalogue, alike: number,
 *   onChoose: (target: string, forKind: boolean) => void}} wanted `alike`: how many other files of the kind wait
 */
export function openChooser({ anchor, row, catalogue, alike, onChoose }) {
  const source = catalogue.format(row.format);
  const sourceName = source ? formatName(source) : t('row.unknown');
  const targets = row.targets.map(catalogue.format).filter((format) => format !== undefined);
  const usual = row.suggested.map(catalogue.format).filter((format) => format !== undefined);
  /** @type {HTMLElement|null} */
  let marked = null;
  let count = 0;

  const list = h('div', { class: 'goals', role: 'listbox', id: 'goals', 'aria-label': t('chooser.list') });
  const told = h('p', { class: 'told', id: 'told' });
  const field = h('input', {
    type: 'text', inputmode: 'search', enterkeyhint: 'done', role: 'combobox', autocomplete: 'off', spellcheck: 'false', autofocus: true, 'aria-expanded': 'true', 'aria-controls': 'goals',
    'aria-autocomplete': 'list', 'aria-describedby': 'told', 'aria-label': t('chooser.search'), placeholder: t('chooser.search'), oninput: fill, onkeydown: keyed,
  });
  const forKind = h('input', { type: 'checkbox' });
  const kind = alike > 0 && h('label', { class: 'kind' }, forKind, t('chooser.kind', { n: alike, format: sourceName }));
  const { element, close } = openDialog({
    title: t('chooser.title', { name: row.name }), kind: 'chooser light',
    content: [h('label', { class: 'seek' }, icon('search'), field), list, told, kind],
  });
  fill();
  placeBy(element, anchor);
  field.focus();

  function fill() {
    const words = field.value.trim();
    count = 0;
    list.replaceChildren(...(words ? found(words) : all()));
    const options = choices();
    mark(options.find((option) => !words && option.dataset.id === row.target) ?? options[0] ?? null);
    if (!options.length) told.textContent = list.querySelector('[role="option"]') ? '' : t('chooser.nothing', { text: words });
    list.scrollTop = 0;
  }

  function all() {
    const groups = [group(t('chooser.often'), usual, 'often')];
    for (const family of FAMILIES) {
      const members = targets.filter((format) => format.family === family && !usual.includes(format));
      groups.push(group(t(`family.${family}`), members.sort((one, other) => one.id.localeCompare(other.id))));
    }
    return groups.filter((made) => made !== null);
  }

  function found(/** @type {string} */ words) {
    const ranked = (/** @type {Format[]} */ formats) =>
      formats.map((format) => ({ format, rank: rank(format, words) })).filter(({ rank: n }) => n > 0)
        .sort((one, other) => other.rank - one.rank || order(one.format) - order(other.format)).map(({ format }) => format);
    const order = (/** @type {Format} */ format) => (usual.includes(format) ? usual.indexOf(format) : 100);
    const refused = ranked(catalogue.formats.filter((format) => !targets.includes(format)));
    return [
      group(t('chooser.found'), ranked(targets)),
      group(t('chooser.not', { format: sourceName }), refused.slice(0, MOST_REFUSED), 'refused', (format) => whyNot(source, format, catalogue)),
    ].filter((made) => made !== null);
  }

  /** @param {string} name @param {Format[]} formats @param {string} [look] @param {(format: Format) => string} [refusal] */
  function group(name, formats, look = '', refusal) {
    if (!formats.length) return null;
    const title = h('h3', { id: `goals-${(count += 1)}`, role: 'presentation' }, name);
    return h('div', { role: 'group', class: look, 'aria-labelledby': title.id }, title,
      h('div', { class: 'chips', role: 'presentation' }, formats.map((format) => chip(format, refusal?.(format)))));
  }

  function chip(/** @type {Format} */ format, /** @type {string|undefined} */ refusal) {
    const short = format.extensions[0].toUpperCase();
    const name = formatName(format);
    return h('div', {
      class: 'chip', role: 'option', id: `goal-${(count += 1)}`, 'aria-selected': 'false', 'aria-disabled': refusal ? 'true' : null,
      'aria-current': format.id === row.target ? 'true' : null, data: { id: format.id },
      onclick: () => refusal || choose(format.id), onpointermove: (/** @type {Event} */ event) => refusal || mark(/** @type {HTMLElement} */ (event.currentTarget), false),
    }, h('strong', {}, short), h('small', {}, refusal ? (refusal.includes(name) ? refusal : `${name}. ${refusal}`) : name === short ? '' : name));
  }

  /** @returns {HTMLElement[]} */
  function choices() {
    return [...list.querySelectorAll('[role="option"]:not([aria-disabled])')];
  }

  function mark(/** @type {HTMLElement|null} */ option, scroll = true) {
    if (option === marked && option?.isConnected) return;
    if (marked) attribute(marked, 'aria-selected', 'false');
    marked = option;
    attribute(field, 'aria-activedescendant', option?.id);
    if (!option) return;
    attribute(option, 'aria-selected', 'true');
    if (scroll) option.scrollIntoView({ block: 'nearest' });
    tell(/** @type {string} */ (option.dataset.id));
  }

  /** What the marked way does to the file; asked for once the mark rests. */
  async function tell(/** @type {string} */ target) {
    const route = await catalogue.route(/** @type {string} */ (row.format), target).catch(() => null);
    if (marked?.dataset.id !== target || !element.open) return;
    const format = catalogue.format(target);
    if (!route || !format) return told.replaceChildren();
    const path = [route.route[0].from, ...route.route.map((/** @type {any} */ step) => step.to)].map((id) => id.toUpperCase()).join(' → ');
    const parts = [route.lossy ? t('chooser.lossy') : t('chooser.lossless', { format: formatName(format) })];
    if (route.route.length > 1) parts.push(t('chooser.steps', { n: route.route.length, path }));
    if (route.several) parts.push(t('chooser.several'));
    told.replaceChildren(h('span', { class: route.lossy ? 'lossy' : '' }, parts.join(' · ')));
  }

  function keyed(/** @type {KeyboardEvent} */ event) {
    const sideways = field.value === ''; // in a text the arrows belong to the text
    const step = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: sideways && [1, 0], ArrowLeft: sideways && [-1, 0] }[event.key];
    if (step) move(step[0] * (document.dir === 'rtl' ? -1 : 1), step[1]);
    else if (event.key === 'Enter' && marked) choose(/** @type {string} */ (marked.dataset.id));
    else if (event.key !== 'Enter') return;
    event.preventDefault();
  }

  /** To the next choice sideways, or to the nearest one of the next line. */
  function move(/** @type {number} */ across, /** @type {number} */ down) {
    const options = choices();
    const at = options.indexOf(/** @type {HTMLElement} */ (marked));
    if (across) return mark(options[at + across] ?? marked);
    if (!marked) return mark(options[0] ?? null);
    const here = marked.getBoundingClientRect();
    const apart = (/** @type {HTMLElement} */ option) => (option.getBoundingClientRect().top - here.top) * down;
    const ahead = options.filter((option) => apart(option) > 4);
    const line = Math.min(...ahead.map(apart));
    const middle = (/** @type {DOMRect} */ box) => box.left + box.width / 2;
    const far = (/** @type {HTMLElement} */ option) => Math.abs(middle(option.getBoundingClientRect()) - middle(here));
    const next = ahead.filter((option) => apart(option) < line + 4).sort((one, other) => far(one) - far(other))[0];
    mark(next ?? marked);
  }

  function choose(/** @type {string} */ target) {
    close();
    onChoose(target, forKind.checked);
  }
}

/** How well a format answers to some words: 0 not at all. Every word must fit something that the format is called. */
function rank(/** @type {Format} */ format, /** @type {string} */ typed) {
  const words = plain(typed).replace(/^\./, '');
  const endings = [format.id, ...format.extensions].map((ending) => ending.toLowerCase());
  if (endings.includes(words)) return 10;
  const own = has(`said.${format.id}`) ? t(`said.${format.id}`) : '';
  const called = `${format.name} ${formatName(format)} ${t(`family.${format.family}`)} ${SAID[format.id] ?? ''} ${own}`;
  const names = plain(called).split(/[^\p{L}\p{N}]+/u).concat(endings);
  let sum = 0;
  for (const word of words.split(/\s+/)) {
    if (names.includes(word)) sum += 3;
    else if (names.some((name) => name.startsWith(word))) sum += 1;
    else return 0;
  }
  // Said just so, and first of all: "web image" is WebP before it is one more image for the web.
  const said = [SAID[format.id] ?? '', plain(own)];
  if (said.some((way) => way.startsWith(words))) sum += 2;
  else if (said.some((way) => way.includes(` ${words}`))) sum += 1;
  return Math.min(9, sum + (SAID[format.id] ? 1 : 0));
}

/** Without case and accents: nobody types those in a search. */
const plain = (/** @type {string} */ words) => words.toLowerCase().normalize('NFD').replace(/\p{M}/gu, '').trim();

/** What a target needs of a source that the source's family has not. @type {Record<string, string>} */
const NEEDS = { audio: 'sound', video: 'pictures', sheet: 'table', geo: 'map', font: 'letters', cad: 'shape' };

/** Why one cannot become the other. */
function whyNot(/** @type {Format|undefined} */ from, /** @type {Format} */ to, /** @type {import('./api.js').Catalogue} */ catalogue) {
  const names = { from: from ? formatName(from) : t('row.unknown'), to: formatName(to) };
  if (from?.id === to.id) return t('chooser.why.same', names);
  if (!catalogue.formats.some((format) => format.targets.includes(to.id))) return t('chooser.why.unwritten', names);
  const need = NEEDS[to.family];
  return need && from?.family !== to.family ? t(`chooser.why.${need}`, names) : t('chooser.why.other', names);
}
