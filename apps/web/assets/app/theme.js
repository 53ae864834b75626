/** Light, dark, or as the system has it. */
import { effect, signal } from "./html.js";
import { remember, remembered } from "./storage.js";

export const THEMES = ["auto", "light", "dark"];
export const theme = signal(THEMES.includes(remembered("theme")) ? remembered("theme") : "auto");

effect(() => {
  document.documentElement.dataset.theme = theme.value;
  remember("theme", theme.value === "auto" ? null : theme.value);
});

export function nextTheme() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
}
