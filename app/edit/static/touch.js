// The Select tool: clicks and scribbles on a thing become its mask; more of them refine it.

import { drawStroke } from "./mask.js";

/** @import { Line } from "./mask.js" */
/** @import { Editor } from "./editor.js" */
/** @import { Step } from "./timeline.js" */

const MAX_POINTS_A_STROKE = 6;
const MIN_DISTANCE = 12; // CSS px between two points of a stroke
const TRACE = 3; // CSS px
const PAUSE_MS = 250; // without a change of what is set, before the selection is made anew
const [INSIDE, OUTSIDE] = ["#ffffff", "#18181b"];

export class Touch {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.outside = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.pause = undefined;
    this.reset();
  }

  /** What comes next is another thing. */
  reset() {
    /** In display px. @type {[number, number][]} */
    this.points = [];
    /** @type {boolean[]} */
    this.inside = [];
    /** The step that selected it so far. @type {Step | null} */
    this.step = null;
    /** Of the points, how many the selection so far is made of. @type {number} */
    this.answered = 0;
    /** The stroke under way. @type {[number, number][]} */
    this.trace = [];
  }

  /**
   * @param {boolean} outside the stroke marks what does not belong to the thing
   * @param {boolean} another the stroke is on another thing
   */
  begin(outside, another) {
    const last = this.editor.timeline?.past.at(-1);
    if (another || !this.step || last !== this.step) this.reset();
    // What the server refused, or found nothing with, is no part of the selection.
    this.points.length = this.inside.length = this.answered;
    this.outside = outside;
    this.trace = [];
  }

  /**
   * @param {Line} line in display px
   * @param {number} scale CSS px per display px
   */
  follow(line, scale) {
    const [, , x, y] = line;
    const before = this.trace.at(-1);
    if (!before || Math.hypot(x - before[0], y - before[1]) * scale >= MIN_DISTANCE) this.trace.push([x, y]);
    drawStroke(this.editor.view.context("mask"), line, TRACE / scale, false, this.outside ? OUTSIDE : INSIDE);
  }

  cancel() {
    this.trace = [];
    this.editor.redrawMarks();
  }

  finish() {
    const { editor, trace } = this;
    const { timeline } = editor;
    this.trace = [];
    editor.redrawMarks();
    if (!timeline || !trace.length) return;
    const every = Math.ceil(trace.length / MAX_POINTS_A_STROKE);
    const chosen = trace.filter((_, i) => i % every === 0);
    this.points.push(...chosen);
    this.inside.push(...chosen.map(() => !this.outside));
    if (!this.inside.includes(true)) {
      this.reset();
      return editor.notice("warn", "Click what you want to select first, then Alt and click what is no part of it.");
    }
    this.send();
  }

  /** Make the last selection anew, once what is set for it has not changed for a moment. */
  renew() {
    const { editor } = this;
    clearTimeout(this.pause);
    this.pause = setTimeout(() => {
      if (!this.step || editor.timeline?.past.at(-1) !== this.step) return;
      if (editor.busy) return this.renew();
      this.points.length = this.inside.length = this.answered;
      this.send();
    }, PAUSE_MS);
  }

  /** Ask for the thing that all points so far are on. */
  send() {
    const { timeline } = this.editor;
    if (!timeline) return;
    const [width, height] = timeline.size;
    /** @type {(value: number, size: number) => number} */
    const toPhoto = (value, size) => Math.max(0, Math.min(size - 0.01, value / timeline.scale));
    const points = this.points.map(([x, y]) => /** @type {[number, number]} */ ([toPhoto(x, width), toPhoto(y, height)]));
    this.editor.conversation.send("touch", { points, inside: this.inside });
  }

  /**
   * Put what was found in the place of what was found of the same thing before.
   *
   * @param {ImageBitmap} picture
   * @param {number} x
   * @param {number} y
   */
  show(picture, x, y) {
    const { editor } = this;
    const { timeline } = editor;
    if (!timeline) return;
    if (this.step && timeline.past.at(-1) === this.step) {
      timeline.past.pop();
      editor.swapMarks(this.step);
    }
    editor.step((marks) => marks.mask.load(picture, x, y, true));
    this.step = timeline.past.at(-1) ?? null;
    this.answered = this.points.length;
  }
}
