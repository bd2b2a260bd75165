// The divider between two pictures of one photo.

import { find } from "./dom.js";

/** @import { Viewport } from "./viewport.js" */

const HANDLE_PX = 24; // half of it and its margin: it is never half outside
const ONE_SIDED = 0.12; // nearer than this to an edge, only the other side's caption has room

/**
 * @typedef {object} Divided
 * @property {HTMLElement} root
 * @property {HTMLElement} stage
 * @property {Viewport} view
 * @property {number} divider its place as a share of the photo's visible part: 0 left, 1 right
 */

/**
 * Put divider and captions where the photo lies.
 *
 * @param {Divided} widget
 */
export function placeDivider({ root, stage, view, divider }) {
  const { left, right, top, bottom } = view.frame();
  const at = left + divider * (right - left);
  const places = {
    divider: at,
    handle: Math.max(HANDLE_PX, Math.min(stage.clientWidth - HANDLE_PX, at)) - at,
    "photo-left": left,
    "photo-top": top,
    "photo-right": stage.clientWidth - right,
    "photo-bottom": stage.clientHeight - bottom,
  };
  for (const [name, value] of Object.entries(places)) stage.style.setProperty(`--${name}`, `${value}px`);
  stage.dataset.side = divider < ONE_SIDED ? "after" : divider > 1 - ONE_SIDED ? "before" : "both";
  find(root, ".divider").setAttribute("aria-valuenow", String(Math.round(divider * 100)));
}

/**
 * @param {Divided} widget
 * @param {number} share
 */
export function moveDivider(widget, share) {
  widget.divider = Math.max(0, Math.min(1, share));
  if (widget.view.size) placeDivider(widget);
}
