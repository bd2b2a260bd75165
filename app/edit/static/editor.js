// The editor on the stage: what is open, what is shown, and the conversation with the server.
(() => {
  "use strict";
  const sair = window.sair;
  const { MaskLayer, Timeline, Viewport, ORIGINAL } = sair;
  const NO_PHOTO = "Open a photo first: drop it on the page, paste it or choose a file.";
  const HINT = "Brush over what should go, then press Fill.";
  const READY = "Press Fill when everything that should go is covered.";

  class Editor {
    constructor(root) {
      this.root = root;
      this.main = "#fill-button";
      this.stage = root.querySelector(".stage");
      this.view = new Viewport(this.stage, ["before", "after", "mask"]);
      this.view.onchange = () => sair.placeDivider(this);
      this.view.painters = {
        before: (context) => this.paintPhoto(context, this.beforeId()),
        after: (context) => this.paintPhoto(context, this.variations.seen ?? this.state.shown),
        mask: (context) => context.drawImage(this.mask.canvas, 0, 0),
      };
      this.timeline = null;
      this.mask = null;
      this.state = { base: ORIGINAL, shown: null, view: "paint" };
      this.tool = "brush";
      this.diameter = 40; // CSS px on the stage, whatever the zoom
      this.divider = 0; // 0 = only the result, 1 = only the photo before
      this.busy = false;
      this.variations = new sair.Variations(this);
      this.onchange = () => {}; // after every change, for who shows the same photo
      this.holding = false; // the original is shown for as long as a key or button is held
      this.setTool("brush");
      this.setDiameter(this.diameter);
      this.refresh();
    }

    // ---- what is on the stage

    // False while another tab is open.
    get visible() {
      return this.stage.clientWidth > 0;
    }

    // The photo or result that is looked at; null where none is open.
    seenId() {
      const { view, shown, base } = this.state;
      return this.timeline && (view === "compare" && shown ? shown : base);
    }

    // What was filled and is still kept on the server.
    get results() {
      return this.timeline ? [...this.timeline.entries.values()].filter((one) => one.live) : [];
    }

    beforeId() {
      return this.holding || this.state.view === "compare" ? ORIGINAL : this.state.base;
    }

    paintPhoto(context, id, view = this.view) {
      if (!id) return;
      this.timeline.draw(context, id);
      if (this.timeline.alpha) view.underlayChecker(context);
    }

    setState(state) {
      const next = { ...this.state, ...state };
      if (!next.shown) next.view = "paint";
      const changed = Object.keys(next).some((key) => next[key] !== this.state[key]);
      this.state = next;
      if (changed) this.view.redraw();
      this.refresh();
    }

    setView(view) {
      if (this.timeline && !this.busy) this.setState({ view });
    }

    setTool(tool) {
      this.tool = tool;
      for (const name of ["brush", "erase"]) sair.setPressed(this.root, name, name === tool);
    }

    setDiameter(diameter) {
      this.diameter = Math.round(Math.max(3, Math.min(240, diameter)));
      sair.setSlider(this.root.querySelector(".size"), this.diameter, this.diameter);
      this.stage.style.setProperty("--brush", `${this.diameter}px`);
    }

    hold(on) {
      if (!this.timeline || this.holding === on) return;
      this.holding = on;
      this.view.redraw("before");
      this.refresh();
    }

    setDivider(share) {
      sair.moveDivider(this, share);
    }

    // Attributes and labels that follow from the state; the look of every state lives in the style sheet.
    refresh() {
      const { root, state, results } = this;
      const data = {
        state: this.timeline ? "open" : "empty", view: state.view, busy: this.busy,
        holding: this.holding, results: results.length, saveable: Boolean(this.saveableId()),
      };
      Object.assign(root.dataset, data);
      document.body.dataset.sair = this.busy ? "busy" : data.state;
      document.body.dataset.sairResult = data.saveable;
      document.body.dataset.sairNext = state.view === "compare" ? "save" : "fill";
      for (const name of ["paint", "compare"]) sair.setPressed(root, name, state.view === name);
      const can = {
        undo: this.timeline?.past.length, redo: this.timeline?.future.length, compare: state.shown,
        paint: this.timeline, original: this.timeline, zoomin: this.timeline, zoomout: this.timeline, fit: this.timeline,
      };
      for (const [name, yes] of Object.entries(can)) {
        root.querySelector(`[data-act=${name}]`).disabled = !yes || this.busy;
      }
      sair.drawHistory(this, results);
      this.variations.refresh();
      this.onchange();
    }

    notice(level, text) {
      sair.setStatus(this.root, level, text);
    }

    progress(share, text) {
      sair.setProgress(this.root, share);
      if (text) this.notice("busy", text);
    }

    setBusy(busy, text) {
      this.busy = busy;
      this.progress(0, text);
      this.refresh();
    }

    // ---- steps that can be taken back

    // Runs a change of the mask as one step; `state` goes with it where the step also moves on.
    step(change, state = null) {
      if (!this.timeline || this.busy) return;
      this.mask.begin();
      change(this.mask);
      this.view.redraw("mask");
      this.finishStep(state);
    }

    finishStep(state = null) {
      const tiles = this.mask.commit();
      if (tiles || state) this.timeline.push({ tiles, from: { ...this.state }, to: { ...this.state, ...state } });
      // What is being painted should be seen: any change of the mask leads back to the painting view.
      this.setState(state ?? { view: "paint" });
      if (tiles) this.notice("info", this.mask.touched.size ? READY : HINT);
    }

    undo() {
      this.walk("undo", "from");
    }

    redo() {
      this.walk("redo", "to");
    }

    walk(way, end) {
      if (!this.timeline || this.busy) return;
      const step = this.timeline[way]();
      if (!step) return this.notice("info", `Nothing to ${way}.`);
      if (step.tiles) {
        this.mask.swap(step.tiles);
        this.view.redraw("mask");
      }
      const onlyMask = step.from.view === step.to.view && step.from.base === step.to.base;
      this.setState(onlyMask ? { view: "paint" } : step[end]);
      const undone = !step.tiles && end === "from";
      this.notice("info", undone ? "Fill undone. The mask is still there." : this.mask.touched.size ? READY : HINT);
    }

    // ---- results

    saveableId() {
      return this.state.shown ?? (this.state.base === ORIGINAL ? null : this.state.base);
    }

    select(id) {
      if (this.busy) return;
      if (id === ORIGINAL) return this.setState({ base: ORIGINAL, shown: null, view: "paint" });
      this.setState({ shown: id, view: "compare" });
    }

    // name: a method of MaskLayer without arguments
    changeMask(name) {
      if (!this.timeline) return this.notice("warn", NO_PHOTO);
      this.step((mask) => mask[name]());
    }

    useAsPhoto() {
      const { shown } = this.state;
      if (this.busy) return;
      if (!shown) return this.notice("warn", "There is no result yet. Paint something and press Fill first.");
      this.step((mask) => mask.clear(), { base: shown, shown: null, view: "paint" });
      this.notice("info", "You now edit this result. Brush over the next thing, then press Fill.");
    }

    // ---- what the server answered

    showPhoto(message, [photo]) {
      this.variations.clear();
      this.timeline = new Timeline(photo, [message.width, message.height], message.alpha);
      this.mask = new MaskLayer(photo.width, photo.height);
      this.state = { base: ORIGINAL, shown: null, view: "paint" };
      this.divider = 0;
      this.view.open(photo.width, photo.height);
      this.refresh();
    }

    showResult(message, bitmaps) {
      const patches = message.pictures.map((picture, i) => ({ ...picture, bitmap: bitmaps[i] }));
      this.timeline.add({ id: message.result, base: message.base, patches, live: true });
      for (const entry of this.timeline.entries.values()) entry.live = message.live.includes(entry.id);
      this.variations.toggle(false);
      const to = { ...this.state, shown: message.result, view: "compare" };
      this.timeline.push({ tiles: null, from: { ...this.state, view: "paint" }, to });
      this.setDivider(0);
      this.setState(to);
      this.root.classList.remove("reveal");
      void this.root.offsetWidth; // restarts the animation
      this.root.classList.add("reveal");
    }

    // seeds: of the fills; parts: how many of the pictures belong to each
    showVariations({ base, seeds, parts, pictures }, bitmaps) {
      const patches = pictures.map((picture, i) => ({ ...picture, bitmap: bitmaps[i] }));
      this.variations.show(base, seeds.map((seed, i) => ({ seed, patches: patches.slice(i * parts, (i + 1) * parts) })));
    }

    // of: the photo that the mask belongs to, where it need not be the one that is edited; add: keep the mask
    showMask({ pictures, of, add }, [picture]) {
      const { x, y } = pictures[0];
      const move = of && of !== this.state.base ? { base: of, shown: null, view: "paint" } : null;
      this.step((mask) => mask.load(picture, x, y, add), move);
    }
  }

  sair.Editor = Editor;
})();
