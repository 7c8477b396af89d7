// @ts-check
/**
 * One small line icon per family of formats and per action, on a grid of 24, drawn with the colour of the text around
 * it. Icons are ornament: names are in words beside them, or on the button that holds them.
 */
import { svg } from './dom.js';

const SHEET = 'M6 3h8l4 4v13a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM14 3v4h4';

/** Paths by name; a name in `MIRRORED` points the other way where text runs from right to left. @type {Record<string, string>} */
const PATHS = {
  // families
  document: `${SHEET}M8 12h7M8 15h7M8 18h4`,
  markup: `${SHEET}m-4 5-2.5 2.5L10 17M13 12l2.5 2.5L13 17`,
  sheet: 'M4 5h16v14H4zM4 10h16M4 14.5h16M10 5v14',
  slides: 'M3 5h18M5 5v10h14V5M12 15v4M8 20l4-4 4 4',
  pdf: `${SHEET}M8 17.5c2-1 4-4 4-6.5 0 2.5 1.5 4.5 3.5 5.5-2-.5-5 0-7.5 1z`,
  ebook: 'M12 6.5C10 5 7 4.5 4 5v13c3-.5 6 0 8 1.5 2-1.5 5-2 8-1.5V5c-3-.5-6 0-8 1.5zM12 6.5v13',
  image: 'M4 5h16v14H4zM4 16l4.5-4.5 4 4L15 13l5 4.5M15 9.5h.01',
  audio: 'M9 17.5V6l10-2v11.5M9 17.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19 15.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z',
  video: 'M4 5h16v14H4zM10.5 9.5v5l4-2.5z',
  subtitle: 'M4 5h16v14H4zM7 15h4M13.5 15H17M7 12h2M11.5 12H17',
  data: 'M19 6c0 1.5-3 2.5-7 2.5S5 7.5 5 6s3-2.5 7-2.5S19 4.5 19 6zM5 6v12c0 1.5 3 2.5 7 2.5s7-1 7-2.5V6M5 12c0 1.5 3 2.5 7 2.5s7-1 7-2.5',
  archive: 'M4 5h16v4H4zM5 9v10h14V9M10 13h4',
  email: 'M4 6h16v12H4zM4 7l8 6 8-6',
  font: 'M4 19 9.5 5h1L16 19M6 14.5h8M17 19c3.5 0 4-2 4-4.5s-1-3-2-3-2.5.5-2.5 1.5',
  geo: 'M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11zM12 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  cad: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12 4 7.5',
  unknown: `${SHEET}M10 12.5a2 2 0 1 1 2 2v1M12 18h.01`,
  // actions
  add: 'M12 5v14M5 12h14',
  alert: 'M12 8v5M12 16.5h.01M12 3.5 2.5 20h19z',
  arrow: 'M5 12h14M13 6l6 6-6 6',
  auto: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 4v16M12 8h3.5M12 12h4M12 16h3.5',
  back: 'M15 6l-6 6 6 6',
  caret: 'M7 10l5 5 5-5',
  check: 'M5 12.5 10 17.5 19 7.5',
  close: 'M6 6l12 12M18 6 6 18',
  code: 'M8 8l-4 4 4 4M16 8l4 4-4 4M13.5 5l-3 14',
  copy: 'M9 9h10v11H9zM15 9V4H5v11h4',
  download: 'M12 4v11M7 10.5l5 5 5-5M5 20h14',
  drop: 'M12 15V4M7.5 8.5 12 4l4.5 4.5M4 15v4a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-4',
  folder: 'M4 6h5.5l2 2.5H20V18a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1z',
  forward: 'M9 6l6 6-6 6',
  language: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3.5 12h17M12 3c2.5 2.5 3.5 5.5 3.5 9s-1 6.5-3.5 9c-2.5-2.5-3.5-5.5-3.5-9s1-6.5 3.5-9z',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z',
  offline: 'M4 4l16 16M5 12.5a10 10 0 0 1 3-2M12 9.5c2.700 0 5.200 1.100 7 3M8.5 16a5 5 0 0 1 7 0M12 19.5h.01',
  options: 'M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h11M19 17h1M17 15v4',
  pause: 'M9 6v12M15 6v12',
  play: 'M8 5.5v13l10.5-6.5z',
  preview: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
  retry: 'M19.5 12a7.5 7.5 0 1 1-2.200-5.300L20 9.5M20 4.5v5h-5',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.5 4.5',
  sun: 'M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5 19 19M19 5l-1.5 1.5M6.5 17.5 5 19',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13',
};
const MIRRORED = new Set(['arrow', 'back', 'forward']);

/** @param {string} name a family or an action; an unknown one looks like an unknown file @returns {SVGElement} */
export function icon(name) {
  return svg('svg', { viewBox: '0 0 24 24', class: MIRRORED.has(name) ? 'icon turns' : 'icon', 'aria-hidden': 'true' },
    svg('path', { d: PATHS[name] ?? PATHS.unknown }));
}
