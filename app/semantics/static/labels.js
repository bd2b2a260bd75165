// A map of labels in the browser: what is where, and the colours that show it.
(() => {
  "use strict";
  const sair = window.sair;
  const UNSURE_TO_SURE = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis
  const FAINT = 38; // alpha of all labels but one, while that one is pointed at

  function ramp(value) {
    const at = (value / 255) * (UNSURE_TO_SURE.length - 1);
    const low = Math.min(Math.floor(at), UNSURE_TO_SURE.length - 2);
    return UNSURE_TO_SURE[low].map((from, i) => from + (UNSURE_TO_SURE[low + 1][i] - from) * (at - low));
  }

  class LabelMap {
    // bitmap: red = place in the legend, green = confidence in 1/255; legend: [{ label, colour, share }]
    constructor(bitmap, legend) {
      const { width, height } = bitmap;
      this.legend = legend;
      this.canvas = Object.assign(document.createElement("canvas"), { width, height });
      this.context = this.canvas.getContext("2d", { willReadFrequently: true });
      this.context.drawImage(bitmap, 0, 0);
      this.values = this.context.getImageData(0, 0, width, height).data;
      this.colours = legend.map(({ colour }) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)));
      this.ramp = Array.from({ length: 256 }, (_, value) => ramp(value));
    }

    // x, y: shares of the photo's width and height. Gives null beside it.
    at(x, y) {
      if (x < 0 || y < 0 || x >= 1 || y >= 1) return null;
      const { width, height } = this.canvas;
      const place = 4 * (Math.floor(y * height) * width + Math.floor(x * width));
      return { ...this.legend[this.values[place]], index: this.values[place], confidence: this.values[place + 1] / 255 };
    }

    // Colours the canvas. view: "labels" or "confidence"; only: the place of the one label to stand out, or null.
    paint(view, only = null) {
      const { width, height } = this.canvas;
      const image = this.context.createImageData(width, height);
      const [channel, table] = view === "labels" ? [0, this.colours] : [1, this.ramp];
      for (let i = 0; i < image.data.length; i += 4) {
        const colour = table[this.values[i + channel]];
        image.data[i] = colour[0];
        image.data[i + 1] = colour[1];
        image.data[i + 2] = colour[2];
        image.data[i + 3] = only === null || this.values[i] === only ? 255 : FAINT;
      }
      this.context.putImageData(image, 0, 0);
    }
  }

  sair.LabelMap = LabelMap;
})();
