// The painted mask: one canvas at the photo's size, opaque = hole, with records of what every action changed.
(() => {
  "use strict";
  const TILE = 256; // px; the unit in which changes are remembered
  const TINT = "#ff3d68";

  class MaskLayer {
    constructor(width, height) {
      this.width = width;
      this.height = height;
      this.canvas = Object.assign(document.createElement("canvas"), { width, height });
      // Strokes are read back to remember what they covered: a canvas in main memory makes that cheap.
      this.context = this.canvas.getContext("2d", { willReadFrequently: true });
      this.columns = Math.ceil(width / TILE);
      this.rows = Math.ceil(height / TILE);
      this.touched = new Set(); // tiles that may hold paint
      this.record = null; // tile -> alpha before the action under way
    }

    box(tile) {
      const x = (tile % this.columns) * TILE;
      const y = Math.floor(tile / this.columns) * TILE;
      return [x, y, Math.min(TILE, this.width - x), Math.min(TILE, this.height - y)];
    }

    read(tile) {
      if (!this.touched.has(tile)) return null;
      const rgba = this.context.getImageData(...this.box(tile)).data;
      const alpha = new Uint8Array(rgba.length / 4);
      let painted = 0;
      for (let i = 0; i < alpha.length; i++) painted |= alpha[i] = rgba[4 * i + 3];
      return painted ? alpha : null;
    }

    write(tile, alpha) {
      const [x, y, width, height] = this.box(tile);
      if (!alpha) {
        this.context.clearRect(x, y, width, height);
        this.touched.delete(tile);
        return;
      }
      const image = this.context.createImageData(width, height);
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(TINT.slice(at, at + 2), 16));
      for (let i = 0, at = 0; i < alpha.length; i++, at += 4) {
        image.data[at] = r;
        image.data[at + 1] = g;
        image.data[at + 2] = b;
        image.data[at + 3] = alpha[i];
      }
      this.context.putImageData(image, x, y);
      this.touched.add(tile);
    }

    begin() {
      this.record = new Map();
    }

    // Ends the action; returns what `swap` needs to take it back, or null when nothing was touched.
    commit() {
      const record = this.record;
      this.record = null;
      return record && record.size ? record : null;
    }

    cancel() {
      const record = this.commit();
      if (record) this.swap(record);
    }

    // Exchanges the recorded tiles with the present ones: the same record undoes and redoes.
    swap(record) {
      for (const [tile, before] of record) {
        const now = this.read(tile);
        this.write(tile, before);
        record.set(tile, now);
      }
    }

    remember(tile) {
      if (this.record && !this.record.has(tile)) this.record.set(tile, this.read(tile));
    }

    rememberBox(left, top, right, bottom) {
      const tileAt = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value / TILE)));
      for (let row = tileAt(top, this.rows); row <= tileAt(bottom, this.rows); row++) {
        for (let column = tileAt(left, this.columns); column <= tileAt(right, this.columns); column++) {
          const tile = row * this.columns + column;
          this.remember(tile);
          this.touched.add(tile);
        }
      }
    }

    stroke(x0, y0, x1, y1, diameter, erase) {
      const reach = diameter / 2 + 2;
      this.rememberBox(
        Math.min(x0, x1) - reach, Math.min(y0, y1) - reach,
        Math.max(x0, x1) + reach, Math.max(y0, y1) + reach,
      );
      MaskLayer.line(this.context, x0, y0, x1, y1, diameter, erase);
    }

    static line(context, x0, y0, x1, y1, diameter, erase) {
      context.globalCompositeOperation = erase ? "destination-out" : "source-over";
      context.strokeStyle = TINT;
      context.lineCap = "round";
      context.lineWidth = diameter;
      context.beginPath();
      context.moveTo(x0, y0);
      context.lineTo(x1, y1 + (x0 === x1 && y0 === y1 ? 0.01 : 0)); // a click without a move is a dot
      context.stroke();
      context.globalCompositeOperation = "source-over";
    }

    clear() {
      for (const tile of [...this.touched]) {
        this.remember(tile);
        this.write(tile, null);
      }
    }

    invert() {
      for (let tile = 0; tile < this.rows * this.columns; tile++) {
        const [, , width, height] = this.box(tile);
        const alpha = this.read(tile) || new Uint8Array(width * height);
        this.remember(tile);
        this.write(tile, alpha.map((value) => 255 - value));
      }
    }

    // Replaces everything (or with `add` adds to it) by a picture whose opaque pixels are hole, its corner at (x, y).
    load(picture, x, y, add = false) {
      if (!add) this.clear();
      if (!picture) return;
      this.rememberBox(x, y, x + picture.width - 1, y + picture.height - 1);
      this.context.drawImage(picture, x, y);
      this.context.globalCompositeOperation = "source-in";
      this.context.fillStyle = TINT;
      this.context.fillRect(0, 0, this.width, this.height);
      this.context.globalCompositeOperation = "source-over";
    }

    // The painted part as [left, top, width, height], to the tile; null when nothing is painted.
    bounds() {
      const boxes = [...this.touched].filter((tile) => this.read(tile)).map((tile) => this.box(tile));
      if (!boxes.length) return null;
      const left = Math.min(...boxes.map((b) => b[0]));
      const top = Math.min(...boxes.map((b) => b[1]));
      const right = Math.max(...boxes.map((b) => b[0] + b[2]));
      const bottom = Math.max(...boxes.map((b) => b[1] + b[3]));
      return [left, top, right - left, bottom - top];
    }

    // PNG of the painted part and where it lies; null when nothing is painted.
    async export() {
      const box = this.bounds();
      if (!box) return null;
      const part = Object.assign(document.createElement("canvas"), { width: box[2], height: box[3] });
      part.getContext("2d").drawImage(this.canvas, -box[0], -box[1]);
      const blob = await new Promise((resolve) => part.toBlob(resolve, "image/png"));
      return { blob, box };
    }
  }

  const sair = (window.sair = window.sair || {});
  sair.MaskLayer = MaskLayer;
})();
