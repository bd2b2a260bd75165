// The labels below the map: colour, name and share of each; a click makes one the mask.

import { create, find } from "../../widgets/static/dom.js";

/** @import { Label } from "./labels.js" */
/** @import { MapViewer } from "./map.js" */

/** @param {number} share in [0, 1] */
export function formatPercent(share) {
  if (!share) return "0 %";
  return share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`;
}

/**
 * @param {MapViewer} viewer
 * @param {Label} label
 * @param {number} index its place in the map's legend
 */
function createEntry(viewer, { label, colour, share }, index) {
  const swatch = create("i");
  swatch.style.background = colour;
  const name = create("span", { textContent: label });
  const part = create("small", { textContent: formatPercent(share) });
  const title = share ? `Make “${label}” the mask; with Shift, add it to the mask` : `No ${label} in this photo`;
  const button = create("button", { type: "button", className: "label", disabled: !share, title }, swatch, name, part);
  button.addEventListener("click", (event) => viewer.choose({ label: index }, event.shiftKey));
  for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => viewer.highlight(index));
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => viewer.highlight(null));
  return button;
}

/**
 * Show the labels of the viewer's map, largest first.
 *
 * @param {MapViewer} viewer
 */
export function drawLegend(viewer) {
  const labels = [...(viewer.map?.legend ?? []).entries()].sort(([, a], [, b]) => b.share - a.share);
  const entries = labels.map(([index, label]) => createEntry(viewer, label, index));
  find(viewer.root, ".legend .entries").replaceChildren(...entries);
}
