// A map of labels in the browser: what is where, and the colours that show it.

import { create, getContext } from "../../widgets/static/dom.js";

/** @import { Timeline } from "../../edit/static/timeline.js" */

/** @typedef {{ label: string, colour: string, share: number }} Label colour: #rrggbb; share of the photo, in [0, 1] */
/** @typedef {Label[]} Legend in the order of the map's values */
/** @typedef {"labels" | "confidence"} Look what the colours of a map say */

const UNSURE_TO_SURE = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis
const CONFIDENCE_COLOURS = Array.from({ length: 256 }, (_, value) => interpolate(UNSURE_TO_SURE, value / 255));
const FAINT = 38; // alpha of all labels but one, while that one is pointed at

/**
 * @param {number[][]} colours
 * @param {number} share of the way from the first to the last, in [0, 1]
 */
function interpolate(colours, share) {
  const at = share * (colours.length - 1);
  const low = Math.min(Math.floor(at), colours.length - 2);
  return colours[low].map((from, i) => from + (colours[low + 1][i] - from) * (at - low));
}

/** The label and its confidence at every place of a photo. */
export class LabelMap {
  /**
   * @param {ImageBitmap} bitmap red = place in the legend, green = confidence in 1/255
   * @param {Legend} legend
   * @param {{ timeline: Timeline, photo: string }} source the photo or result that it is a map of
   */
  constructor(bitmap, legend, source) {
    const { width, height } = bitmap;
    this.legend = legend;
    this.source = source;
    /** @type {Look} */
    this.look = "labels"; // of the canvas, once painted
    this.canvas = create("canvas", { width, height });
    this.context = getContext(this.canvas, { willReadFrequently: true });
    this.context.drawImage(bitmap, 0, 0);
    this.values = this.context.getImageData(0, 0, width, height).data;
    this.colours = legend.map(({ colour }) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)));
  }

  /**
   * Return what is at a place, or null beside the photo.
   *
   * @param {number} x share of the photo's width
   * @param {number} y share of its height
   */
  at(x, y) {
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return null;
    const { width, height } = this.canvas;
    const place = 4 * (Math.floor(y * height) * width + Math.floor(x * width));
    return { ...this.legend[this.values[place]], confidence: this.values[place + 1] / 255 };
  }

  /**
   * Colour the canvas.
   *
   * @param {Look} look
   * @param {number | null} [only] place in the legend of the one label to stand out
   */
  paint(look, only = null) {
    this.look = look;
    const { width, height } = this.canvas;
    const image = this.context.createImageData(width, height);
    const [channel, table] = look === "labels" ? [0, this.colours] : [1, CONFIDENCE_COLOURS];
    for (let i = 0; i < image.data.length; i += 4) {
      const colour = table[this.values[i + channel]];
      image.data[i] = colour[0];
      image.data[i + 1] = colour[1];
      image.data[i + 2] = colour[2];
      image.data[i + 3] = only === null || this.values[i] === only ? 255 : FAINT;
    }
    this.context.putImageData(image, 0, 0);
  }
}
