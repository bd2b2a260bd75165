// The photo at any scale under a divider: plain enlargement on the left, the model's on the right.
(() => {
  "use strict";
  const sair = window.sair;
  const MAX_TIMES = 64; // screen pixels per photo pixel
  const MIN_TIMES = 1 / 64;
  const MAX_SIDE = 1600; // px of the pictures that are asked for
  const NEAR_PX = 16; // from here on the divider is taken, not the photo
  const STEP_PX = 60; // that an arrow key moves the photo
  const STEPS = 1000; // of the slider
  const LABEL_OPACITY = 0.6;
  const CAPTIONS = { bicubic: "Bicubic", nearest: "Nearest", labels: "Labels" };

  function written(times) {
    return String(Number(times.toFixed(times < 10 ? 2 : 1)));
  }

  class Zoom extends sair.Companion {
    constructor(root) {
      super(root, ["before", "after"], "#export-button");
      this.view.painters = {
        before: (context) => this.paint(context, "before"),
        after: (context) => this.paint(context, "after"),
      };
      this.view.limits = () => this.limits();
      this.view.onchange = () => this.moved();
      this.followed = [null, null, null]; // the editor's timeline, photo and result when it was last looked at
      this.shown = null; // id of the photo that is shown: the editor's, or the other one of the switch
      this.baseline = "bicubic";
      this.map = null; // of the Semantics tab, where it is of what is shown
      this.maps = 0; // how many there were
      this.divider = 0.5;
      this.sharp = new sair.Sharp(this);
    }

    get busy() {
      return Boolean(sair.exporter?.busy);
    }

    // Whether pictures can be asked for.
    get ready() {
      return this.visible && Boolean(this.timeline) && !this.busy;
    }

    // Shows what the editor shows.
    follow() {
      const { editor } = sair;
      if (!this.visible || !editor) return;
      const now = [editor.timeline, editor.seenId(), editor.saveableId()];
      if (now.some((one, i) => one !== this.followed[i])) {
        this.followed = now;
        this.shown = editor.seenId(); // before anything is drawn: ids belong to their timeline
        this.sharp.forget();
        this.meet();
        this.view.redraw();
      }
      this.refresh();
      this.sharp.ask(); // what was wanted when another tab was opened
    }

    refresh() {
      const { root } = this;
      const [, , result] = this.followed;
      this.meetMap();
      const open = Boolean(this.timeline);
      const data = { state: open ? "open" : "empty", view: open ? "compare" : "none", working: this.sharp.busy || this.busy };
      Object.assign(root.dataset, data);
      const filled = open && this.shown !== sair.ORIGINAL;
      sair.setPressed(root, "original", open && !filled);
      sair.setPressed(root, "filled", filled);
      root.querySelector("[data-act=filled]").disabled = !result;
      root.querySelector("[data-act=labels]").disabled = !this.map;
      for (const name of Object.keys(CAPTIONS)) sair.setPressed(root, name, this.baseline === name);
      root.querySelector(".tag.was").textContent = CAPTIONS[this.baseline];
      sair.exporter?.refresh();
    }

    // Another map than before, or none, changes what "Labels" shows.
    meetMap() {
      const { meaning } = sair;
      const ours = meaning?.map && meaning.timeline === this.timeline && meaning.photo === this.shown;
      const map = ours ? meaning.map : null;
      if (map === this.map) return;
      this.map = map;
      this.maps += 1;
      if (this.baseline === "labels") this.setBaseline(map ? "labels" : "bicubic");
    }

    // id: of the photo or a result
    show(id) {
      if (!this.timeline || !id || id === this.shown) return;
      this.shown = id;
      this.sharp.forget();
      this.view.redraw();
      this.refresh();
    }

    setBaseline(name) {
      this.baseline = name;
      this.sharp.forget("before");
      this.view.redraw();
      this.refresh();
    }

    setDivider(share) {
      sair.moveDivider(this, share);
    }

    // ---- scale

    // CSS px per picture px at which a screen pixel is a photo pixel.
    unit() {
      return 1 / ((window.devicePixelRatio || 1) * this.timeline.scale);
    }

    limits() {
      const fit = this.view.fitScale();
      return [Math.min(fit, this.unit()), Math.max(fit, MAX_TIMES * this.unit())];
    }

    get times() {
      return this.view.scale / this.unit();
    }

    setTimes(times) {
      if (this.timeline && times > 0) this.view.zoom(times / this.times);
      this.showTimes(true);
    }

    // share: of the slider's way, which is even in doublings
    slideTo(share) {
      if (!this.timeline) return;
      const [least, most] = this.limits();
      this.view.zoom((least * (most / least) ** share) / this.view.scale);
    }

    // typed: over what is being typed, too
    showTimes(typed = false) {
      if (!this.timeline) return;
      const [least, most] = this.limits();
      const share = Math.log(this.view.scale / least) / Math.log(most / least);
      const label = this.root.querySelector(".size");
      sair.setSlider(label, STEPS * share);
      label.querySelector("input").setAttribute("aria-valuetext", `${written(this.times)}x`);
      const field = this.root.querySelector(".times input");
      if (typed || document.activeElement !== field) field.value = written(this.times);
    }

    summary() {
      const times = written(this.times);
      const caption = CAPTIONS[this.baseline];
      if (this.times <= 1 && this.baseline !== "labels") {
        return `${times}x: the photo's own pixels on both sides. Zoom in to compare.`;
      }
      return `Sharp at ${times}x: ${caption} on the left, SAIR on the right.`;
    }

    // ---- what is in view

    moved() {
      sair.placeDivider(this);
      this.showTimes();
      sair.exporter?.refresh();
      const map = this.baseline === "labels" ? this.maps : 0;
      this.sharp.want([this.timeline.id, this.shown, this.baseline, map, this.window()]);
    }

    // The visible part of the photo: its corner in photo px, and its size in the screen's own pixels, of which
    // its corner is a whole number away from the photo's. A longer side than `most` px is reduced to that.
    window(most = MAX_SIDE) {
      const { stage, times, timeline, view } = this;
      const ratio = window.devicePixelRatio || 1;
      const visible = (corner, photo, side) => {
        const end = Math.min(Math.floor(photo * times + 1e-6), Math.round(side * ratio) - corner);
        return [Math.max(0, -corner), end];
      };
      const [x, y] = view.corner();
      const [left, right] = visible(x, timeline.size[0], stage.clientWidth);
      const [top, bottom] = visible(y, timeline.size[1], stage.clientHeight);
      const reduced = Math.min(1, most / Math.max(right - left, bottom - top));
      return {
        top: top / times,
        left: left / times,
        scale: Math.max(MIN_TIMES, Math.min(MAX_TIMES, times * reduced)),
        width: Math.max(1, Math.floor((right - left) * reduced)),
        height: Math.max(1, Math.floor((bottom - top) * reduced)),
      };
    }

    // At once from what the browser has; over it the server's pictures where there are some.
    paint(context, layer) {
      const plain = layer === "before";
      context.imageSmoothingEnabled = !(plain && this.baseline === "nearest");
      this.timeline.draw(context, this.shown);
      if (plain && this.baseline === "labels" && sair.meaning.look === "labels") {
        context.globalAlpha = LABEL_OPACITY;
        context.imageSmoothingEnabled = false;
        context.drawImage(this.map.canvas, 0, 0, ...this.view.size);
        context.globalAlpha = 1;
      }
      this.sharp.draw(context, layer);
      if (this.timeline.alpha) this.view.underlayChecker(context);
    }

    // x: CSS px on the stage
    nearDivider(x) {
      const { left, right } = this.view.frame();
      return Math.abs(x - left - this.divider * (right - left)) < NEAR_PX;
    }

    // Keys while the stage or the divider has the focus; says whether the key was one of them.
    press(key, onDivider) {
      const step = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
      if (step && onDivider) this.setDivider(this.divider - 0.05 * (step[0] || -step[1]));
      else if (step) this.view.pan(STEP_PX * step[0], STEP_PX * step[1]);
      else if (key === "+" || key === "=") this.view.zoom(1.4);
      else if (key === "-") this.view.zoom(1 / 1.4);
      else if (key === "0") this.view.fit();
      else return false;
      return true;
    }
  }

  // Drags the divider where it is, the photo elsewhere; also while a picture or an export is being made.
  class ZoomPointer extends sair.Pointer {
    free() {
      return this.editor.timeline;
    }

    modeOf(event) {
      return this.editor.nearDivider(this.at(event)[0]) ? "divide" : "pan";
    }

    press(event) {
      super.press(event);
      if (this.mode === "divide") this.stage.querySelector(".divider").focus({ preventScroll: true });
    }

    showRing(event) {
      const { timeline } = this.editor;
      if (timeline) this.stage.dataset.over = this.editor.nearDivider(this.at(event)[0]) ? "divider" : "photo";
    }

    zooms() {
      return true; // there is nothing to scroll to in the way
    }
  }

  // Called once by the component, as `mount` is for the editor.
  sair.mountZoom = (element, bridge) => {
    const root = element.querySelector(".sair");
    const zoom = new Zoom(root);
    const { sharp, stage } = zoom;
    sharp.talk = new sair.SharpTalk(sharp, bridge);
    const pointer = new ZoomPointer(zoom, null);
    Object.assign(sair, { zoom, sharp });
    zoom.bind({
      original: () => zoom.show(sair.ORIGINAL),
      filled: () => zoom.show(zoom.followed[2]),
      bicubic: () => zoom.setBaseline("bicubic"),
      nearest: () => zoom.setBaseline("nearest"),
      labels: () => zoom.setBaseline("labels"),
      one: () => zoom.setTimes(1),
    });
    const field = root.querySelector(".times input");
    root.querySelector(".size input").addEventListener("input", (event) => zoom.slideTo(Number(event.target.value) / STEPS));
    field.addEventListener("change", () => zoom.setTimes(Number(field.value)));
    field.addEventListener("blur", () => zoom.showTimes());
    stage.addEventListener("dblclick", (event) => {
      const [x, y] = pointer.at(event);
      if (zoom.timeline && !event.target.closest("button") && !zoom.nearDivider(x)) zoom.view.zoom(2, x, y);
    });
    stage.addEventListener("keydown", (event) => {
      if (!zoom.timeline || event.ctrlKey || event.metaKey || event.altKey) return;
      if (zoom.press(event.key, Boolean(event.target.closest(".divider")))) event.preventDefault();
    });
    zoom.refresh();
  };
})();
