// The map over the photo: what is shown, what is pointed at, what is chosen as the mask.
(() => {
  "use strict";
  const sair = window.sair;
  const HINT = "Type what may be in the photo, then press Show map.";
  const CLICK_PX = 5; // a pointer that moved less has clicked, not dragged
  const TINT = "#ff3d68"; // of the hole's border, as in the editor
  const UNSEEN = "#8a8a90";
  const OUTLINE = [[1, 0], [-1, 0], [0, 1], [0, -1], [0.7, 0.7], [0.7, -0.7], [-0.7, 0.7], [-0.7, -0.7]];

  // Gives what is painted so far another colour.
  function fillPaint(context, colour, width, height) {
    context.globalCompositeOperation = "source-in";
    context.fillStyle = colour;
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "source-over";
  }

  function copied(canvas) {
    const { width, height } = canvas;
    const copy = Object.assign(document.createElement("canvas"), { width, height });
    copy.getContext("2d").drawImage(canvas, 0, 0);
    return copy;
  }

  class Meaning extends sair.Companion {
    constructor(root) {
      super(root, ["photo", "labels", "outline"], "#map-button");
      this.view.painters = {
        photo: (context) => this.paintPhoto(context),
        labels: (context) => this.paintLabels(context),
        outline: (context) => this.paintOutline(context),
      };
      this.map = null; // LabelMap of that photo
      this.hole = null; // canvas: the mask that the map was made without looking under
      this.look = "labels";
      this.adding = false;
      this.busy = false;
      this.asked = null; // timeline, photo and mask (a canvas, where it was sent) that the answer under way belongs to
    }

    // Shows what the editor shows. A map of another photo goes; one of this photo stays.
    follow() {
      const { editor } = sair;
      if (!this.visible || !editor) return;
      if (!this.met) this.talk.bridge.trigger("seen");
      this.met = true;
      document.body.dataset.sairMarked = Boolean(editor.mask?.bounds());
      if (!this.meet()) return;
      this.setMap(null);
      if (!this.busy) this.notice("info", HINT);
    }

    refresh() {
      const data = { map: this.map ? "shown" : this.timeline ? "ready" : "empty", working: this.busy, look: this.look };
      Object.assign(this.root.dataset, data);
      document.body.dataset.sairMap = this.busy ? "busy" : data.map;
      for (const name of ["labels", "confidence"]) sair.setPressed(this.root, name, this.look === name);
      sair.setPressed(this.root, "add", this.adding);
    }

    setMap(map, hole = null) {
      this.map = map;
      this.hole = hole;
      sair.drawLegend(this);
      this.setLook(this.look);
      this.view.redraw();
    }

    setBusy(busy, text) {
      this.busy = busy;
      this.progress(0, text);
      this.refresh();
    }

    setOpacity(percent) {
      sair.setSlider(this.root.querySelector(".size"), percent, `${percent} %`);
      this.view.layers.labels.style.opacity = percent / 100;
    }

    setLook(look) {
      this.look = look;
      this.map?.paint(look);
      this.view.redraw("labels");
      this.refresh();
    }

    standOut(index) {
      if (!this.map || this.look !== "labels") return;
      this.map.paint(this.look, index);
      this.view.redraw("labels");
    }

    // What the map was made without is not shown below it either.
    paintPhoto(context) {
      sair.editor.paintPhoto(context, this.photo, this.view);
      if (this.hole) context.drawImage(this.hole, 0, 0, ...this.view.size);
    }

    paintLabels(context) {
      if (!this.map) return;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.map.canvas, 0, 0, ...this.view.size);
    }

    // The border of the hole: the hole moved a little each way, less the hole itself.
    paintOutline(context) {
      if (!this.hole) return;
      const width = 2 / this.view.scale;
      for (const [x, y] of OUTLINE) context.drawImage(this.hole, x * width, y * width, ...this.view.size);
      context.globalCompositeOperation = "destination-out";
      context.drawImage(this.hole, 0, 0, ...this.view.size);
      fillPaint(context, TINT, ...this.view.size);
    }

    // ---- what is pointed at and clicked

    // x, y: CSS px on the stage
    placeAt(x, y) {
      const [left, top] = this.view.toPicture(x, y);
      return [left / this.view.size[0], top / this.view.size[1]];
    }

    point(x, y) {
      const found = this.map?.at(...this.placeAt(x, y));
      const tip = this.stage.querySelector(".tip");
      tip.hidden = !found;
      if (!found) return;
      tip.querySelector("i").style.background = found.colour;
      tip.querySelector("b").textContent = found.label;
      tip.querySelector("span").textContent = `${sair.percent(found.confidence)} sure`;
      const left = Math.max(0, Math.min(x + 14, this.stage.clientWidth - tip.offsetWidth - 8));
      const top = y + 18 + tip.offsetHeight > this.stage.clientHeight ? y - tip.offsetHeight - 10 : y + 18;
      tip.style.transform = `translate(${left}px, ${top}px)`;
    }

    click(x, y, shift) {
      const [across, down] = this.placeAt(x, y);
      if (!this.map?.at(across, down)) return;
      const { photo, scale } = this.timeline;
      const at = [(across * photo.width) / scale, (down * photo.height) / scale].map(Math.floor);
      this.choose({ at }, shift);
    }

    // what: { label: place in the legend } or { at: [x, y] in photo px }
    choose(what, shift) {
      if (this.busy) return;
      if (sair.editor.busy) return this.notice("warn", "The editor is still at work. Wait until it is done, then click again.");
      this.talk.pending = { ...what, add: shift || this.adding };
      this.talk.bridge.trigger("choose");
    }

    // Asks again after a setting has changed, if there is a map to be changed.
    again() {
      if (this.map && !this.busy) document.querySelector("#map-button").click();
    }

    // ---- what the server answered

    showMap(message, [bitmap]) {
      const { editor } = sair;
      if (this.asked.timeline !== editor.timeline || this.asked.photo !== editor.seenId()) {
        message.notice = { level: "info", text: "The photo has changed meanwhile. Press Show map again." };
        return;
      }
      this.timeline = editor.timeline;
      this.photo = editor.seenId();
      const { width, height } = bitmap;
      const hole = message.hole ? Object.assign(document.createElement("canvas"), { width, height }) : null;
      if (hole) {
        const context = hole.getContext("2d");
        context.drawImage(this.asked.mask, 0, 0, width, height);
        fillPaint(context, UNSEEN, width, height);
      }
      this.asked.mask = null; // as large as the photo
      this.setMap(new sair.LabelMap(bitmap, message.legend), hole);
      this.stage.scrollIntoView({ block: "nearest" }); // in a narrow window the button is far below
    }

    showMask(message, bitmaps) {
      this.standOut(null);
      sair.editor.showMask(message, bitmaps);
      sair.editor.notice("info", message.notice.text);
      sair.openTab("edit");
    }
  }

  class MeaningTalk extends sair.Talk {
    constructor(meaning, bridge) {
      super(meaning, bridge);
      this.pending = null; // what was clicked
    }

    async request(busyText, part) {
      const { widget, pending } = this;
      const { timeline, mask } = sair.editor;
      this.pending = null;
      // A copy: it may be painted on before the answer is there.
      const sent = part === "mask" && mask ? copied(mask.canvas) : null;
      widget.asked = { timeline, photo: sair.editor.seenId(), mask: sent };
      widget.setBusy(true, busyText);
      return { ...(await sair.server.describe(part)), ...pending };
    }
  }

  // A drag moves the photo, a click chooses; two fingers and the wheel zoom as in the editor.
  class MeaningPointer extends sair.Pointer {
    modeOf() {
      return "pan";
    }

    press(event) {
      if (!this.down.size) this.start = this.at(event);
      super.press(event);
    }

    release(event) {
      const [x, y] = this.at(event);
      const still = this.start && Math.hypot(x - this.start[0], y - this.start[1]) < CLICK_PX;
      const clicked = event.type === "pointerup" && this.mode === "pan" && still;
      super.release(event);
      if (clicked) this.editor.click(x, y, event.shiftKey);
    }

    showRing(event) {
      if (event.pointerType !== "touch") this.editor.point(...this.at(event));
    }
  }

  // Called once by the component, as `mount` is for the editor.
  sair.mountMeaning = (element, bridge) => {
    const root = element.querySelector(".sair");
    const meaning = new Meaning(root);
    meaning.talk = new MeaningTalk(meaning, bridge);
    new MeaningPointer(meaning, root.querySelector(".tip"));
    sair.meaning = meaning;
    meaning.bind({
      labels: () => meaning.setLook("labels"),
      confidence: () => meaning.setLook("confidence"),
      add: () => [(meaning.adding = !meaning.adding), meaning.refresh()],
      zoomin: () => meaning.view.zoom(1.4),
      zoomout: () => meaning.view.zoom(1 / 1.4),
    });
    root.querySelector(".size input").addEventListener("input", (event) => meaning.setOpacity(Number(event.target.value)));
    meaning.setOpacity(60);
    meaning.refresh();
  };
})();
