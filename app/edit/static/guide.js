// A guide of a fill: the surroundings of a hole extended smoothly into it, in the browser, while the server fills it.
// Pull-push (Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.5): reduced by two until every hole is closed,
// then enlarged again beneath what is known. A canvas multiplies colours by alpha, as the weights there do.

import { create, getContext } from "../../widgets/static/dom.js";

/** @import { MaskLayer } from "./mask.js" */
/** @import { Patch } from "./timeline.js" */

const MARGIN_PX = 32; // of surroundings around what is painted
const MAX_PIXELS = 2 ** 20; // of the guide; where there are more it is computed reduced, as it is smooth anyway
const SATURATING = 3; // times a picture is drawn on itself: an alpha of 1/4 becomes 1 - (3/4) ** 8, which is 0.9

/**
 * Return a part of a picture with what is painted there filled smoothly; null where nothing is painted.
 *
 * @param {CanvasImageSource} picture
 * @param {MaskLayer} mask of the picture's size
 * @returns {Patch | null} its place in px of the picture
 */
export function extendInto(picture, mask) {
  const box = mask.bounds();
  if (!box) return null;
  const x = Math.max(0, box[0] - MARGIN_PX);
  const y = Math.max(0, box[1] - MARGIN_PX);
  const width = Math.min(mask.width, box[0] + box[2] + MARGIN_PX) - x;
  const height = Math.min(mask.height, box[1] + box[3] + MARGIN_PX) - y;

  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
  /** @type {(source: CanvasImageSource) => HTMLCanvasElement} */
  const reduce = (source) =>
    paint(Math.ceil(width * scale), Math.ceil(height * scale), (context) => {
      context.drawImage(source, x, y, width, height, 0, 0, width * scale, height * scale);
    });
  const hole = reduce(mask.canvas);
  saturate(hole); // nothing of what is to go counts as known
  const guide = reduce(picture);
  draw(guide, "destination-out", (context) => context.drawImage(hole, 0, 0));
  fillGaps(guide);

  const filled = paint(width, height, (context) => context.drawImage(mask.canvas, -x, -y));
  draw(filled, "source-in", (context) => context.drawImage(guide, 0, 0, guide.width / scale, guide.height / scale));
  const bitmap = paint(width, height, (context) => context.drawImage(picture, -x, -y));
  // The photo keeps its own transparency.
  draw(bitmap, "source-atop", (context) => context.drawImage(filled, 0, 0));
  return { bitmap, x, y, width, height };
}

/**
 * Fill what is transparent from what is not.
 *
 * @param {HTMLCanvasElement} canvas
 */
function fillGaps(canvas) {
  const { width, height } = canvas;
  if (width === 1 && height === 1) return;
  const half = paint(Math.ceil(width / 2), Math.ceil(height / 2), (context) => {
    context.drawImage(canvas, 0, 0, width / 2, height / 2); // bilinear at a half: the mean of 2 x 2 px
  });
  saturate(half);
  fillGaps(half);
  draw(canvas, "destination-over", (context) => context.drawImage(half, 0, 0, 2 * half.width, 2 * half.height));
}

/**
 * Make what is not quite transparent nearly opaque, in its own colour.
 *
 * @param {HTMLCanvasElement} canvas
 */
function saturate(canvas) {
  const context = getContext(canvas);
  for (let i = 0; i < SATURATING; i++) context.drawImage(canvas, 0, 0);
}

/** @typedef {(context: CanvasRenderingContext2D) => void} Drawing */

/**
 * @param {number} width
 * @param {number} height
 * @param {Drawing} drawing
 */
function paint(width, height, drawing) {
  const canvas = create("canvas", { width, height });
  drawing(getContext(canvas));
  return canvas;
}

/**
 * Draw on a canvas that holds something already.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {GlobalCompositeOperation} operation
 * @param {Drawing} drawing
 */
function draw(canvas, operation, drawing) {
  const context = getContext(canvas);
  context.globalCompositeOperation = operation;
  drawing(context);
}
