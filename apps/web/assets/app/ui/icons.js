/** Icons: strokes on a 24 × 24 grid, in the colour of the text beside them. They carry no name; what holds them does. */
import { html } from "../html.js";

const PATHS = {
  products: "M4 9h16l-1.2-5H5.2zM4 9a2.67 2.67 0 0 0 5.33 0 2.67 2.67 0 0 0 5.34 0A2.67 2.67 0 0 0 20 9M5.5 12v8h13v-8M10 20v-4.5h4V20",
  low: "M12 3v11m0 0-4.5-4.5M12 14l4.5-4.5M4 17v2.5a1.5 1.5 0 0 0 1.5 1.5h13a1.5 1.5 0 0 0 1.5-1.5V17",
  bell: "M6 10a6 6 0 1 1 12 0c0 5 2 6 2 7H4c0-1 2-2 2-7M10 20.5a2.2 2.2 0 0 0 4 0",
  chart: "M4 20h16M7 16v-5M12 16V5M17 16V9",
  pulse: "M3 12h4l2.5-7 5 14 2.5-7h4",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M15.5 15.5 20 20",
  close: "M6 6l12 12M18 6 6 18",
  edit: "M4 20h4L19 9l-4-4L4 16zM13.5 6.5l4 4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  check: "M5 12.5 10 17.5 19 7",
  warn: "M12 4 2.5 20h19zM12 10v4.5M12 17.2v.1",
  info: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M12 11v5M12 7.8v.1",
  gap: "M3 12h5M16 12h5M10 6l4 12",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  box: "M4 7.5 12 3l8 4.5v9L12 21l-8-4.5zM4 7.5l8 4.5 8-4.5M12 12v9",
  refresh: "M19.5 9A8 8 0 1 0 20 13.5M20 4v5h-5",
  keyboard: "M3 6h18v12H3zM7 10h.1M11 10h.1M15 10h.1M8 14h8",
  auto: "M12 3.5a8.5 8.5 0 1 0 0 17zM12 3.5a8.5 8.5 0 0 1 0 17",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5",
};

/** @param {{name: keyof typeof PATHS, size?: number}} props */
export function Icon({ name, size = 20 }) {
  return html`<svg width=${size} height=${size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]} fill=${name === "auto" ? "none" : undefined} /></svg>`;
}

/** The mark: an awning over a stall. */
export function Mark({ size = 30 }) {
  return html`<svg width=${size} height=${size} viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" fill="#a4411d" />
    <path d="M6 8h20l2 7a4 4 0 0 1-8 0 4 4 0 0 1-8 0 4 4 0 0 1-8 0z" fill="#fff6ea" />
    <path d="M12.6 8h6.8l.6 7a4 4 0 0 1-8 0z" fill="#f2b84b" />
    <path d="M8 21v5h16v-5" fill="none" stroke="#fff6ea" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" />
  </svg>`;
}
