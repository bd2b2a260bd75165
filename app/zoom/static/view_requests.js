// The server's pictures of what is in view: asked for when the view rests, drawn where they belong in the photo.
(() => {
  "use strict";
  const sair = window.sair;
  const REST_MS = 120; // without a move, before the server is asked
  const LAYERS = ["after", "before"]; // the model's picture, then what it is compared with

  class Sharp {
    // zoom: the widget whose view it is
    constructor(zoom) {
      this.zoom = zoom;
      this.wanted = null; // what the view shows, as text
      this.number = 0; // of that view: one more with every change
      this.asked = 0; // number of the view that was last asked for
      this.got = 0; // number of the view that the pictures were made for
      this.pictures = {}; // layer -> { bitmap, x, y, width, height }, photo px
      this.timer = null;
      this.busy = false; // an answer is awaited
    }

    // what: all that the pictures depend on
    want(what) {
      const wanted = JSON.stringify(what);
      if (wanted === this.wanted) return;
      this.wanted = wanted;
      this.number += 1;
      this.wait();
    }

    wait() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.timer = null;
        this.ask();
      }, REST_MS);
    }

    ask() {
      if (this.timer || this.got === this.number || !this.zoom.ready) return;
      if (!this.busy) {
        this.asked = this.number;
        this.setBusy(true);
        this.talk.bridge.trigger("view");
      } else if (this.asked !== this.number) {
        this.talk.bridge.trigger("drop"); // the answer under way comes at once, and then this is asked for
      }
    }

    setBusy(busy, text) {
      this.busy = busy;
      this.progress(0, text);
      this.zoom.refresh();
      if (!busy && this.asked !== this.number) this.ask();
    }

    progress(share, text) {
      const { exporter } = sair;
      if (exporter?.busy) return; // bar and line are the export's
      this.zoom.progress(share, exporter?.told === this.number ? "" : text); // its outcome can be read until a move
    }

    notice(level, text) {
      this.zoom.notice(level, text);
    }

    // Lets pictures go, all unless a layer is named.
    forget(...layers) {
      for (const layer of layers.length ? layers : LAYERS) {
        this.pictures[layer]?.bitmap.close();
        delete this.pictures[layer];
      }
    }

    draw(context, layer) {
      const picture = this.pictures[layer];
      if (!picture) return;
      const { alpha, scale } = this.zoom.timeline;
      const box = [picture.x, picture.y, picture.width, picture.height].map((value) => value * scale);
      if (alpha) context.clearRect(...box);
      // Made for this scale, it is shown pixel on pixel.
      context.imageSmoothingEnabled = Math.abs(context.getTransform().a * box[2] - picture.bitmap.width) > 0.01;
      context.drawImage(picture.bitmap, ...box);
    }

    // ---- what the server answered

    showView(message, bitmaps) {
      const late = message.request !== this.number;
      if (late || !bitmaps.length) {
        for (const bitmap of bitmaps) bitmap.close();
        if (!late) this.wait(); // called off though still wanted: it had just been asked for, or an export began
        return;
      }
      this.forget();
      this.got = this.number;
      LAYERS.forEach((layer, i) => (this.pictures[layer] = { ...message.pictures[i], bitmap: bitmaps[i] }));
      this.zoom.view.redraw(...LAYERS);
      if (sair.exporter?.told !== this.number) this.notice("good", this.zoom.summary());
    }
  }

  class SharpTalk extends sair.Talk {
    async request(busyText) {
      const { widget } = this;
      const { shown, baseline } = widget.zoom;
      widget.asked = widget.number; // the view may have moved since the question was raised
      widget.progress(0, busyText);
      const what = { seen: shown, window: widget.zoom.window(), against: baseline, number: widget.number };
      return { ...(await sair.server.describe("")), ...what };
    }
  }

  Object.assign(sair, { Sharp, SharpTalk });
})();
