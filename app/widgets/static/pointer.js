// Mouse, pen and touch on a stage: move the divider, pan, pinch, zoom by the wheel.

/** @import { Viewport } from "./viewport.js" */

/** @typedef {[x: number, y: number]} Point CSS px on the stage */
/** @typedef {"stroke" | "divide" | "pan" | "pinch"} Drag what a pointer that is held down does */

/**
 * What is pointed at.
 *
 * @typedef {object} Pointed
 * @property {HTMLElement} stage
 * @property {Viewport} view
 * @property {unknown} timeline null while no photo is open
 * @property {boolean} busy
 * @property {(share: number) => void} [setDivider]
 */

const WHEEL_SPEED = 0.0025; // of the scale's logarithm, per px that the wheel turns
const WHEEL_LINE_SPEED = 0.05; // per line, where the browser counts those

/** @template {Pointed} [W=Pointed] */
export class Pointer {
  /** @param {W} widget */
  constructor(widget) {
    this.widget = widget;
    this.stage = widget.stage;
    /** The pointers that are held down, by their id. @type {Map<number, Point>} */
    this.down = new Map();
    /** @type {Drag | null} */
    this.drag = null;
    this.spaceHeld = false;
    const { stage } = this;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.release(event));
    stage.addEventListener("pointercancel", (event) => this.release(event));
    stage.addEventListener("pointerleave", () => this.leave());
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  /**
   * @param {MouseEvent} event
   * @returns {Point}
   */
  at(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - this.stage.clientLeft, event.clientY - box.top - this.stage.clientTop];
  }

  // ---- what differs between the stages

  /** Whether anything can be done on the stage. */
  get enabled() {
    return Boolean(this.widget.timeline) && !this.widget.busy;
  }

  /**
   * What the main button or one finger does.
   *
   * @param {PointerEvent} event
   * @returns {Drag}
   */
  dragOf(event) {
    return "pan";
  }

  /** A drag begins. */
  begin() {}

  /** A pointer of a drag is up. */
  finish() {}

  /** A drag turns out to have been the first finger of a pinch. */
  cancel() {}

  /**
   * The pointer is at a place, held down or not.
   *
   * @param {PointerEvent} event
   */
  hover(event) {}

  leave() {}

  /**
   * With Ctrl (a pinch on a trackpad arrives so too) the wheel zooms; without, the page scrolls as usual.
   *
   * @param {WheelEvent} event
   */
  wheelZooms(event) {
    return event.ctrlKey || event.metaKey;
  }

  // ---- what all have in common

  /** @param {PointerEvent} event */
  press(event) {
    const onControl = event.target instanceof Element && event.target.closest("button, a, input");
    if (!this.enabled || onControl || event.button > 1) return;
    this.stage.setPointerCapture(event.pointerId);
    this.stage.focus({ preventScroll: true });
    event.preventDefault();
    this.down.set(event.pointerId, this.at(event));
    if (this.down.size === 2) {
      this.cancel();
      this.drag = "pinch";
    }
    if (this.down.size > 1) return;
    this.drag = event.button === 1 || this.spaceHeld ? "pan" : this.dragOf(event);
    this.begin();
    this.follow(this.at(event), this.at(event));
  }

  /** @param {PointerEvent} event */
  move(event) {
    this.hover(event);
    let last = this.down.get(event.pointerId);
    if (!last) return;
    // Browsers bundle the moves between two frames: all of them together are the line that was drawn.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) {
      const now = this.at(one);
      if (this.drag === "pinch") this.pinch(event.pointerId, now);
      else this.follow(last, now);
      last = now;
      this.down.set(event.pointerId, now);
    }
  }

  /**
   * @param {Point} before
   * @param {Point} now
   */
  follow(before, now) {
    const { view, setDivider } = this.widget;
    if (this.drag === "pan") view.pan(now[0] - before[0], now[1] - before[1]);
    if (this.drag === "divide" && setDivider) {
      const { left, right } = view.frame();
      setDivider.call(this.widget, (now[0] - left) / (right - left));
    }
  }

  /**
   * @param {number} id of the pointer that moved
   * @param {Point} now
   */
  pinch(id, now) {
    const before = this.down.get(id);
    const other = [...this.down].find(([key]) => key !== id)?.[1];
    if (!other || !before) return;
    /** @type {(a: Point, b: Point) => number} */
    const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    const { view } = this.widget;
    view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    const factor = distance(now, other) / Math.max(1, distance(before, other));
    view.zoom(factor, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  /** @param {PointerEvent} event */
  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    this.finish();
    if (!this.down.size) this.drag = null;
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!this.widget.timeline || !this.wheelZooms(event)) return;
    event.preventDefault();
    const speed = event.deltaMode ? WHEEL_LINE_SPEED : WHEEL_SPEED;
    this.widget.view.zoom(Math.exp(-event.deltaY * speed), ...this.at(event));
  }
}
