// Where the photo lies on a stage, and the pictures stacked there.
(() => {
  "use strict";
  const MAX_SCALE = 32; // screen px per photo px

  class Viewport {
    // names: the classes of the stage's canvases, lowest first
    constructor(stage, names) {
      this.stage = stage;
      this.layers = {};
      for (const name of names) this.layers[name] = stage.querySelector(`canvas.${name}`);
      this.painters = {}; // layer -> function(context) that draws it in picture coordinates
      this.size = null; // [width, height] of the picture
      this.scale = 1; // CSS px per picture px
      this.x = 0; // CSS px of the picture's corner on the stage
      this.y = 0;
      this.fitted = true;
      this.limits = () => [this.fitScale(), MAX_SCALE]; // the smallest and the largest scale
      this.onchange = () => {};
      new ResizeObserver(() => this.resize()).observe(stage);
    }

    open(width, height) {
      this.size = [width, height];
      this.fit();
    }

    fitScale() {
      const [width, height] = this.size;
      return Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height, 8);
    }

    fit() {
      if (!this.size) return;
      this.fitted = true;
      this.scale = this.fitScale();
      this.x = (this.stage.clientWidth - this.size[0] * this.scale) / 2;
      this.y = (this.stage.clientHeight - this.size[1] * this.scale) / 2;
      this.redraw();
    }

    // Zooms by a factor and keeps the picture point under (x, y), CSS px on the stage, where it is.
    zoom(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
      if (!this.size) return;
      const [least, most] = this.limits();
      const scale = Math.max(least, Math.min(most, this.scale * factor));
      if (Math.abs(scale / this.fitScale() - 1) < 0.001) return this.fit();
      this.fitted = false;
      this.x = x - ((x - this.x) * scale) / this.scale;
      this.y = y - ((y - this.y) * scale) / this.scale;
      this.scale = scale;
      this.keepInside();
      this.redraw();
    }

    pan(dx, dy) {
      if (!this.size || this.fitted) return;
      this.x += dx;
      this.y += dy;
      this.keepInside();
      this.redraw();
    }

    keepInside() {
      const clamp = (value, picture, stage) =>
        picture <= stage ? (stage - picture) / 2 : Math.max(stage - picture, Math.min(0, value));
      this.x = clamp(this.x, this.size[0] * this.scale, this.stage.clientWidth);
      this.y = clamp(this.y, this.size[1] * this.scale, this.stage.clientHeight);
    }

    resize() {
      if (!this.size || !this.stage.clientWidth) return; // another tab is open: what is shown waits as it is
      if (this.fitted) return this.fit();
      this.keepInside();
      this.redraw();
    }

    toPicture(x, y) {
      return [(x - this.x) / this.scale, (y - this.y) / this.scale];
    }

    // The picture's visible part on the stage: left, top, right, bottom in CSS px.
    frame() {
      const right = this.x + this.size[0] * this.scale;
      const bottom = this.y + this.size[1] * this.scale;
      return {
        left: Math.max(0, this.x), top: Math.max(0, this.y),
        right: Math.min(this.stage.clientWidth, right), bottom: Math.min(this.stage.clientHeight, bottom),
      };
    }

    // The picture's corner on the stage in screen pixels: whole ones, so that at 1x every pixel is met.
    corner() {
      const ratio = window.devicePixelRatio || 1;
      return [Math.round(this.x * ratio), Math.round(this.y * ratio)];
    }

    context(name) {
      const canvas = this.layers[name];
      const ratio = window.devicePixelRatio || 1;
      const width = Math.round(this.stage.clientWidth * ratio);
      const height = Math.round(this.stage.clientHeight * ratio);
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d");
      const scale = this.scale * ratio;
      context.setTransform(scale, 0, 0, scale, ...this.corner());
      context.imageSmoothingEnabled = scale < 3; // from there on single pixels are shown as they are
      context.imageSmoothingQuality = "high";
      return context;
    }

    redraw(...names) {
      if (!this.size) return;
      for (const name of names.length ? names : Object.keys(this.layers)) {
        const context = this.context(name);
        context.save();
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.clearRect(0, 0, context.canvas.width, context.canvas.height);
        context.restore();
        this.painters[name]?.(context);
      }
      if (!names.length) this.onchange();
    }

    // Draws a checkerboard behind what is already there: the look of transparency.
    underlayChecker(context) {
      const tile = Object.assign(document.createElement("canvas"), { width: 16, height: 16 });
      const small = tile.getContext("2d");
      small.fillStyle = "#d4d4d8";
      small.fillRect(0, 0, 16, 16);
      small.fillStyle = "#f4f4f5";
      small.fillRect(0, 0, 8, 8);
      small.fillRect(8, 8, 8, 8);
      const pattern = context.createPattern(tile, "repeat");
      pattern.setTransform(new DOMMatrix().scale(1 / this.scale));
      context.globalCompositeOperation = "destination-over";
      context.fillStyle = pattern;
      context.fillRect(0, 0, ...this.size);
      context.globalCompositeOperation = "source-over";
    }
  }

  const sair = (window.sair = window.sair || {});
  sair.Viewport = Viewport;
})();
