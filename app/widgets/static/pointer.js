// Mouse, pen and touch on the stage: paint, move the divider, pan, pinch.
(() => {
  "use strict";
  const sair = window.sair;

  class Pointer {
    // editor: or any widget with stage, view, timeline and busy; ring: what follows the mouse on the stage, or null
    constructor(editor, ring) {
      this.editor = editor;
      this.stage = editor.stage;
      this.ring = ring;
      this.down = new Map(); // pointer id -> [x, y] on the stage
      this.mode = null; // "stroke", "divide", "pan", "pinch"
      this.space = false;
      const on = (name, handler) => this.stage.addEventListener(name, handler.bind(this));
      on("pointerdown", this.press);
      on("pointermove", this.move);
      on("pointerup", this.release);
      on("pointercancel", this.release);
      on("pointerleave", this.leave);
      this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    }

    at(event) {
      const box = this.stage.getBoundingClientRect();
      return [event.clientX - box.left - this.stage.clientLeft, event.clientY - box.top - this.stage.clientTop];
    }

    // Whether anything can be done on the stage.
    free() {
      return this.editor.timeline && !this.editor.busy;
    }

    press(event) {
      const { editor } = this;
      if (!this.free() || event.target.closest("button, a, input")) return;
      if (event.button > 1) return;
      this.stage.setPointerCapture(event.pointerId);
      this.stage.focus({ preventScroll: true });
      event.preventDefault();
      this.down.set(event.pointerId, this.at(event));
      if (this.down.size === 2) return this.startPinch();
      if (this.down.size > 2) return;
      if (event.button === 1 || this.space) this.mode = "pan";
      else this.mode = this.modeOf(event);
      if (this.mode === "stroke") editor.mask.begin();
      this.follow(this.at(event), this.at(event));
    }

    // What the main button or one finger does.
    modeOf() {
      return this.editor.state.view === "compare" ? "divide" : "stroke";
    }

    startPinch() {
      if (this.mode === "stroke") {
        this.editor.mask.cancel(); // the first finger of a pinch is not a stroke
        this.editor.view.redraw("mask");
      }
      this.mode = "pinch";
    }

    move(event) {
      this.showRing(event);
      const before = this.down.get(event.pointerId);
      if (!before) return;
      // Browsers bundle the moves between two frames: all of them together are the line that was drawn.
      const events = event.getCoalescedEvents?.() ?? [];
      let last = before;
      for (const one of events.length ? events : [event]) {
        const now = this.at(one);
        if (this.mode === "pinch") this.pinch(event.pointerId, now);
        else this.follow(last, now);
        last = now;
        this.down.set(event.pointerId, now);
      }
    }

    follow(before, now) {
      const { editor } = this;
      const { view } = editor;
      if (this.mode === "pan") view.pan(now[0] - before[0], now[1] - before[1]);
      if (this.mode === "divide") {
        const { left, right } = view.frame();
        editor.setDivider((now[0] - left) / (right - left));
      }
      if (this.mode !== "stroke") return;
      const [x0, y0] = view.toPicture(...before);
      const [x1, y1] = view.toPicture(...now);
      const erase = editor.tool === "erase";
      const diameter = Math.max(1, editor.diameter / view.scale);
      editor.mask.stroke(x0, y0, x1, y1, diameter, erase);
      sair.MaskLayer.line(view.context("mask"), x0, y0, x1, y1, diameter, erase);
    }

    pinch(id, now) {
      const other = [...this.down].find(([key]) => key !== id)?.[1];
      const before = this.down.get(id);
      if (!other || !before) return;
      const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
      const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
      this.editor.view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
      this.editor.view.zoom(distance(now, other) / Math.max(1, distance(before, other)), ...middle);
    }

    release(event) {
      if (!this.down.delete(event.pointerId)) return;
      if (this.mode === "stroke") this.editor.finishStep();
      if (!this.down.size) this.mode = null;
      else if (this.mode === "stroke") this.mode = "pinch";
    }

    showRing(event) {
      const [x, y] = this.at(event);
      this.ring.hidden = event.pointerType === "touch";
      this.ring.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    }

    leave() {
      if (this.ring) this.ring.hidden = true;
    }

    // With Ctrl (a pinch on a trackpad arrives so too) the wheel zooms; without, the page scrolls as usual.
    zooms(event) {
      return event.ctrlKey || event.metaKey;
    }

    wheel(event) {
      if (!this.editor.timeline || !this.zooms(event)) return;
      event.preventDefault();
      this.editor.view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0025)), ...this.at(event));
    }
  }

  sair.Pointer = Pointer;
})();
