/** Buttons. One that has only an icon must have a `label`, which is its name and its tooltip. */
import { html } from "../html.js";
import { Icon } from "./icons.js";

/**
 * @param {{kind?: "" | "primary" | "danger" | "quiet", size?: "" | "small", icon?: string, label?: string, busy?: boolean,
 *   type?: string, children?: any, [other: string]: any}} props
 */
export function Button({ kind = "", size = "", icon, label, busy, type = "button", class: extra = "", children, ...rest }) {
  const bare = icon && !children;
  return html`<button type=${type} class=${`button ${kind} ${size} ${bare ? "icon" : ""} ${extra}`} aria-label=${label}
    title=${bare ? label : undefined} aria-busy=${busy ? "true" : undefined} ...${rest}>
    ${icon && !busy && html`<${Icon} name=${icon} size=${size === "small" ? 16 : 18} />`}${children}
  </button>`;
}
