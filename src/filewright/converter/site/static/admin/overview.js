// @ts-check
/** How the service is doing: what succeeds, what people think of it, what it is made of, what is used. */
import { section } from '../account/parts.js';
import { Problem } from '../api.js';
import { h } from '../dom.js';
import * as units from '../units.js';
import { line, table } from './tables.js';

const DAYS = 30;
const MOST = 12;
const WAIT = /^filewright_predicted_wait_seconds\{lane="([\w-]+)"\} (\S+)$/gm;

/** Nothing where the service has no such thing, or shows it to other networks only. @param {Promise<any>} asked */
const maybe = (asked) => asked.catch((problem) => {
  if (problem instanceof Problem && [403, 404].includes(problem.status)) return null;
  throw problem;
});

/** @type {import('./admin.js').View} */
export async function overviewView({ client }) {
  const [figures, ratings, report, health, waits] = await Promise.all([
    maybe(client.ask(`/v1/admin/figures?days=${DAYS}`)),
    client.ask(`/v1/admin/ratings?days=${DAYS}`),
    maybe(client.ask('/reports/usage')),
    client.ask('/readyz'),
    maybe(client.own('GET', '/metrics').then((answer) => answer.text())).then(waitsIn),
  ]);
  return [
    h('dl', { class: 'sums' }, sums(figures, ratings.data, health, waits).map(([name, value, more]) =>
      h('div', { class: 'card' }, h('dt', {}, name), h('dd', {}, value), more && h('dd', { class: 'hint' }, more)))),
    figures?.data.length ? targets(figures.data) : null,
    ratings.data.length ? opinions(ratings.data) : null,
    report?.data.length ? use(report) : null,
    section('Dependencies', dependencies(health)),
  ];
}

/** How long a new order would wait, by lane, as this process reckons it: lanes with nobody in them are not there. @returns {[string, number][]} */
const waitsIn = (/** @type {string|null} */ metrics) => {
  if (metrics === null) return [];
  const found = /** @type {[string, number][]} */ (Array.from(metrics.matchAll(WAIT), ([, lane, seconds]) => [`Wait, ${lane}`, Number(seconds)]));
  return found.length ? found : [['Wait', 0]];
};

/** @returns {[string, string, string][]} */
function sums(/** @type {any} */ figures, /** @type {any[]} */ ratings, /** @type {any} */ health, /** @type {[string, number][]} */ waits) {
  const given = ratings.reduce((sum, { ratings: count }) => sum + count, 0);
  const stars = ratings.reduce((sum, { ratings: count, mean }) => sum + count * mean, 0);
  const whole = figures?.whole;
  return [
    ...(whole ? [/** @type {[string, string, string]} */ (['Success', whole.success_share === null ? '–' : units.percent(whole.success_share), `of conversions in ${DAYS} days: ${units.count(whole.conversions)}`])] : []),
    ['Rating', given ? (stars / given).toFixed(2) : '–', `in ${DAYS} days: ${units.count(given)}`],
    .../** @type {[string, string, string][]} */ (waits.map(([name, seconds]) => [name, seconds < 1 ? 'none' : units.duration(seconds), 'of a new order, as predicted'])),
    ['State', health.status === 'ok' ? 'Ready' : health.status, `version ${health.version}`],
  ];
}

function targets(/** @type {any[]} */ lines) {
  const { element, body } = table('Success by target', ['Target', 'Conversions', 'Succeeded', 'Rating']);
  body.append(...lines.slice(0, MOST).map((found) => line(found.target, units.count(found.conversions),
    found.success_share === null ? '–' : units.percent(found.success_share), found.rating_mean?.toFixed(2) ?? '–')));
  return section('Conversions', element);
}

function opinions(/** @type {any[]} */ lines) {
  const { element, body } = table('Ratings by target', ['Target', 'Ratings', 'Mean', '1', '2', '3', '4', '5']);
  body.append(...lines.slice(0, MOST).map((found) => line(found.target, units.count(found.ratings), found.mean.toFixed(2),
    ...[1, 2, 3, 4, 5].map((star) => units.count(found.stars[star])))));
  return section('Ratings', element);
}

function use(/** @type {any} */ report) {
  const { element, body } = table('Use by month and tier', ['Month', 'Tier', 'Accounts', 'Conversions', 'Sent', 'Made', 'Cost']);
  const money = new Intl.NumberFormat('en', { style: 'currency', currency: report.currency });
  body.append(...report.data.slice(0, MOST).map((/** @type {any} */ found) => line(found.month, found.tier, units.count(found.tenants),
    units.count(found.conversions), units.bytes(found.input_bytes), units.bytes(found.output_bytes), money.format(found.cost))));
  return section('Use', element);
}

function dependencies(/** @type {any} */ health) {
  const { element, body } = table('Dependencies', ['Name', 'State', 'Facts']);
  const said = (/** @type {Record<string, any>} */ facts) => Object.entries(facts).filter(([name, value]) => name !== 'ok' && typeof value !== 'object')
    .map(([name, value]) => `${name} ${value}`).join(', ');
  body.append(...Object.entries(health.checks ?? {}).map(([name, { ok, ...facts }]) => line(name, ok ? 'usable' : h('strong', { class: 'wrong' }, 'not usable'), said(facts))));
  const engines = health.engines ?? [];
  const there = engines.filter((/** @type {any} */ engine) => engine.available);
  return [element, h('p', { class: 'hint' }, `${there.length} of ${engines.length} engines are there: ${there.map((/** @type {any} */ engine) => engine.name).join(', ')}.`)];
}
