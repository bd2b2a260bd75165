// What widgets have in common: a status line, a progress bar, sliders and toggle buttons.

import { find } from "./dom.js";

/** @import { Level } from "./protocol.js" */

/**
 * Say something on the status line of a widget.
 *
 * @param {HTMLElement} root
 * @param {Level} level
 * @param {string} text
 */
export function setStatus(root, level, text) {
  const line = find(root, ".status");
  line.dataset.level = level;
  find(line, ".text").textContent = text;
}

/**
 * @param {HTMLElement} root
 * @param {number} share in [0, 1]
 */
export function setProgress(root, share) {
  find(root, ".bar i").style.width = `${Math.round(100 * share)}%`;
}

/**
 * Move a slider, whose filled part the style sheet draws.
 *
 * @param {HTMLElement} label the element around the slider and, maybe, its output
 * @param {number} value
 * @param {string} [text] of the output
 */
export function setSlider(label, value, text = "") {
  const slider = find(label, "input", HTMLInputElement);
  const [least, most] = [Number(slider.min), Number(slider.max)];
  slider.value = String(value);
  slider.style.setProperty("--at", `${(100 * (value - least)) / (most - least)}%`);
  const output = label.querySelector("output");
  if (output) output.textContent = text;
}

/**
 * @param {HTMLElement} root
 * @param {string} action the button's data-act
 * @param {boolean} on
 */
export function setPressed(root, action, on) {
  find(root, `[data-act=${action}]`).setAttribute("aria-pressed", String(on));
}

/**
 * @param {HTMLElement} root
 * @param {string} action the button's data-act
 * @param {boolean} enabled
 */
export function setEnabled(root, action, enabled) {
  find(root, `[data-act=${action}]`, HTMLButtonElement).disabled = !enabled;
}
