// What was filled from what, and the one list of steps that undo and redo walk along.
(() => {
  "use strict";
  const ORIGINAL = "original";
  const MAX_IMAGES = 3;
  const MAX_STEPS = 80;
  const MAX_BYTES = 256 * 2 ** 20; // of remembered mask tiles

  class Timeline {
    // photo: ImageBitmap of the opened photo; size: [width, height] of the photo itself; alpha: it has transparency
    constructor(photo, size, alpha) {
      this.id = String((Timeline.opened = (Timeline.opened ?? 0) + 1));
      this.photo = photo;
      this.size = size;
      this.scale = photo.width / size[0]; // pixels of `photo` per photo pixel
      this.alpha = alpha;
      this.entries = new Map();
      this.images = new Map(); // id -> canvas, the few last used
      this.past = [];
      this.future = [];
    }

    // entry: { id, base, patches: [{ bitmap, x, y, width, height }], ... } in photo pixels
    add(entry) {
      this.entries.set(entry.id, entry);
    }

    // The picture of a result: the photo, with what every fill on the way to it changed put in, pixel on pixel.
    image(id) {
      if (id === ORIGINAL) return this.photo;
      let canvas = this.images.get(id);
      this.images.delete(id); // and in again below: the last one used goes last
      canvas ??= this.compose(id);
      this.images.set(id, canvas);
      for (const oldest of this.images.keys()) if (this.images.size > MAX_IMAGES) this.images.delete(oldest);
      return canvas;
    }

    compose(id) {
      const chain = [];
      for (let entry = this.entries.get(id); entry; entry = this.entries.get(entry.base)) chain.unshift(entry);
      const { width, height } = this.photo;
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const context = canvas.getContext("2d");
      context.drawImage(this.photo, 0, 0);
      for (const { patches } of chain) {
        for (const { bitmap, ...place } of patches) {
          const box = [place.x, place.y, place.width, place.height].map((value) => value * this.scale);
          if (this.alpha) context.clearRect(...box);
          context.drawImage(bitmap, ...box);
        }
      }
      return canvas;
    }

    draw(context, id) {
      context.drawImage(this.image(id), 0, 0);
    }

    // box: [left, top, width, height] of what is shown, in pixels of `photo`
    thumbnail(id, canvas, [left, top, width, height] = [0, 0, this.photo.width, this.photo.height]) {
      const context = canvas.getContext("2d");
      const ratio = Math.max(canvas.width / width, canvas.height / height);
      context.setTransform(
        ratio, 0, 0, ratio,
        canvas.width / 2 - (left + width / 2) * ratio, canvas.height / 2 - (top + height / 2) * ratio,
      );
      context.imageSmoothingQuality = "high";
      this.draw(context, id);
    }

    // step: { tiles: record of the mask or null, from, to: { base, shown, view } or null }
    push(step) {
      this.past.push(step);
      this.future = [];
      const bytes = (one) => [...(one.tiles?.values() ?? [])].reduce((sum, tile) => sum + (tile?.length ?? 0), 0);
      let total = this.past.reduce((sum, one) => sum + bytes(one), 0);
      while (this.past.length > 1 && (this.past.length > MAX_STEPS || total > MAX_BYTES)) {
        total -= bytes(this.past.shift());
      }
    }

    undo() {
      const step = this.past.pop();
      if (step) this.future.push(step);
      return step;
    }

    redo() {
      const step = this.future.pop();
      if (step) this.past.push(step);
      return step;
    }
  }

  const sair = (window.sair = window.sair || {});
  Object.assign(sair, { Timeline, ORIGINAL });
})();
