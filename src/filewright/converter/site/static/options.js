// @ts-check
/**
 * The few things that can be said about a way from one format to another, as a form. The service describes them as
 * JSON Schema; this module turns a schema into a field with its unit and limits, and reads values back as JSON.
 *
 * Values that are the default are not sent: what a service does by itself is its own matter. The name of an option is in
 * the texts (`option.<name>`, its values `option.<name>.<value>`); one that is not there is called what its schema says.
 */
import { openDialog, placeBy } from './dialog.js';
import { h } from './dom.js';
import { has, language, t } from './i18n.js';
import { count } from './units.js';

/** @typedef {Record<string, any>} Schema */

/** Units of options whose schema names none. @type {Record<string, string>} */
const UNITS = { margin_mm: 'mm', width: 'px', height: 'px', dpi: 'dpi', max_dpi: 'dpi', start: 's', duration: 's', at: 's', bitrate_kbps: 'kbps', sample_rate: 'hz', fps: 'fps', exposure: 'stops' };
/** What most people come for stands first; beyond this many fields the rest is folded away. */
const FIRST = ['pages', 'first_page', 'last_page', 'page', 'quality', 'width', 'height', 'start', 'duration', 'paper', 'landscape', 'dpi', 'sheet', 'sheets', 'header', 'at', 'fps', 'bitrate_kbps', 'mute'];
const SHOWN = 5;
/** Where nothing said means all. */
const ALL = new Set(['pages', 'frame']);
/** Limits beyond this are the program's, and no help to a person. */
const FAR = 5000;

/**
 * @param {Record<string, Schema>} schemas
 * @param {Record<string, unknown>} values what was said before
 * @param {(values: Record<string, unknown>) => void} onChange called with all values that are not the default
 * @returns {HTMLFormElement}
 */
export function optionsForm(schemas, values, onChange) {
  const said = { ...values };
  const place = (/** @type {string} */ name) => (FIRST.indexOf(name) + 1 || FIRST.length + 1);
  const names = Object.keys(schemas).sort((one, other) => place(one) - place(other));
  const field = (/** @type {string} */ name) => option(name, schemas[name], said[name], (value) => {
    if (value === undefined || value === schemas[name].default) delete said[name];
    else said[name] = value;
    onChange({ ...said });
  });
  const rest = names.slice(SHOWN);
  return h('form', { novalidate: true, onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    names.slice(0, SHOWN).map(field),
    rest.length > 0 && h('details', { open: rest.some((name) => name in values) }, h('summary', {}, t('options.more')), rest.map(field)));
}

/**
 * The form in a dialog.
 * @param {{anchor: Element, title: string, schemas: Record<string, Schema>, values: Record<string, unknown>, alike: string|null,
 *   onChange: (values: Record<string, unknown>, forKind: boolean) => void}} wanted `alike`: the words of "for all of this kind"
 */
export function openOptions({ anchor, title, schemas, values, alike, onChange }) {
  let now = values;
  const forKind = h('input', { type: 'checkbox', onchange: () => forKind.checked && onChange(now, true) });
  const changed = (/** @type {Record<string, unknown>} */ next) => onChange((now = next), forKind.checked);
  const build = () => {
    const form = optionsForm(schemas, now, changed);
    form.append(h('div', { class: 'actions' },
      h('button', { type: 'button', class: 'button small quiet', onclick: reset }, t('options.reset')),
      h('button', { type: 'submit', class: 'button small' }, t('options.done'))));
    form.addEventListener('submit', () => form.checkValidity() && close());
    return form;
  };
  const reset = () => {
    changed({});
    const form = build();
    element.querySelector('form')?.replaceWith(form);
    /** @type {HTMLElement|null} */ (form.querySelector('input, select'))?.focus();
  };
  const kind = alike && h('label', { class: 'kind' }, forKind, alike);
  const { element, close } = openDialog({ title: `${t('options.title')}: ${title}`, kind: 'options light', content: [build(), kind] });
  placeBy(element, anchor);
  /** @type {HTMLElement|null} */ (element.querySelector('form :is(input, select)'))?.focus();
}

let ids = 0;

/** One line: name, field, unit; below, what it means. */
function option(/** @type {string} */ name, /** @type {Schema} */ schema, /** @type {unknown} */ value, /** @type {(value: unknown) => void} */ say) {
  const id = `option-${(ids += 1)}`;
  const label = has(`option.${name}`) ? t(`option.${name}`) : schema.title ?? words(name);
  const unit = schema.unit ?? UNITS[name];
  const hint = [has(`hint.${name}`) ? t(`hint.${name}`) : language() === 'en' ? plain(schema.description ?? '') : '', limits(schema)].filter(Boolean).join(' · ');
  const wrong = h('p', { class: 'wrong', hidden: true, role: 'alert' }, t('options.wrong'));
  const control = fieldOf(name, schema, value);
  control.id = id;
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`);
  control.addEventListener(control.type === 'checkbox' || control.localName === 'select' ? 'change' : 'input', () => {
    wrong.hidden = control.validity.valid;
    if (control.validity.valid) say(read(control, schema));
  });
  return h('div', { class: 'option' }, h('label', { for: id }, label),
    h('span', { class: 'value' }, control, unit && h('span', { 'aria-hidden': 'true' }, has(`unit.${unit}`) ? t(`unit.${unit}`) : unit)),
    hint && h('p', { class: 'hint', id: `${id}-hint` }, hint), wrong);
}

/** @returns {any} */
function fieldOf(/** @type {string} */ name, /** @type {Schema} */ schema, /** @type {unknown} */ value) {
  const now = value ?? schema.default;
  if (schema.type === 'boolean') return h('input', { type: 'checkbox', checked: now === true });
  if (schema.enum) {
    const called = (/** @type {any} */ choice) => (has(`option.${name}.${choice}`) ? t(`option.${name}.${choice}`) : typeof choice === 'number' ? count(choice) : words(choice));
    const open = schema.default === undefined && [h('option', { value: '' }, t('options.default'))];
    return h('select', {}, open, schema.enum.map((/** @type {any} */ choice) => h('option', { value: choice, selected: choice === now }, called(choice))));
  }
  if (isColour(schema) && schema.default) return h('input', { type: 'color', value: now });
  if (schema.type === 'integer' || schema.type === 'number') {
    return h('input', {
      type: 'number', inputmode: schema.type === 'integer' ? 'numeric' : 'decimal', step: schema.type === 'integer' ? 1 : 'any', min: schema.minimum ?? schema.exclusiveMinimum, max: schema.maximum,
      value: now ?? '', placeholder: schema.default === undefined ? t('options.default') : '',
    });
  }
  const none = isColour(schema) ? '#rrggbb' : t(ALL.has(name) ? 'options.all' : 'options.default');
  return h('input', { type: 'text', value: now ?? '', maxlength: schema.maxLength, pattern: schema.pattern, placeholder: none, autocomplete: 'off', spellcheck: 'false' });
}

const isColour = (/** @type {Schema} */ schema) => schema.pattern?.includes('#[0-9a-fA-F]{6}');

/** A field's value as the schema wants it; undefined where nothing is said. */
function read(/** @type {any} */ control, /** @type {Schema} */ schema) {
  if (control.type === 'checkbox') return control.checked;
  if (control.value === '') return undefined;
  const numeric = schema.type === 'integer' || schema.type === 'number' || (schema.oneOf && /^\d+$/.test(control.value));
  return numeric ? Number(control.value) : control.value;
}

function limits(/** @type {Schema} */ { type, minimum, maximum }) {
  if (type !== 'integer' && type !== 'number') return '';
  if (minimum !== undefined && maximum !== undefined && maximum <= FAR) return t('options.range', { low: minimum, high: maximum });
  return '';
}

/** What the service says to callers, for people: other options by the names that they have here, values as they are typed. */
const plain = (/** @type {string} */ said) => said.replace(/`([^`]+)`/g, (_, name) => `“${has(`option.${name}`) ? t(`option.${name}`) : name}”`);

/** `one_page_per_sheet` → `One page per sheet`. */
function words(/** @type {string} */ name) {
  const spaced = String(name).replaceAll('_', ' ');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
