// A curve over the steps of a training, in the colours of the theme.
(() => {
  "use strict";
  const sair = window.sair;
  const SVG = "http://www.w3.org/2000/svg";
  const MARGIN = { left: 46, right: 12, top: 10, bottom: 22 }; // px, for the scales
  const LINES = 3; // of the vertical scale, more or less

  function add(svg, name, attributes, text = "") {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    svg.append(element);
  }

  // Round values between two.
  function rounds(least, most) {
    const wanted = (most - least) / LINES;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const apart = [1, 2, 5, 10].map((times) => times * power).find((value) => value >= wanted);
    const found = [];
    for (let i = Math.ceil(least / apart); i * apart <= most; i += 1) found.push(Number((i * apart).toPrecision(6)));
    return found;
  }

  // svg: of any size; points: [[step, value], ...], by step; name: of the values
  sair.drawCurve = (svg, points, name) => {
    const { clientWidth: width, clientHeight: height } = svg;
    if (!width) return; // not in view
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    if (!points.length) {
      svg.setAttribute("aria-label", `${name}: no value yet`);
      add(svg, "text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "No value yet");
      return;
    }
    const values = points.map(([, value]) => value);
    const [first, last] = [values[0], values[values.length - 1]];
    svg.setAttribute("aria-label", `${name}: ${first} at first, ${last} now`);
    const room = 0.08 * (Math.max(...values) - Math.min(...values)) || 0.1 * Math.abs(last) || 1;
    const [least, most] = [Math.min(...values) - room, Math.max(...values) + room];
    const steps = Math.max(1, points[points.length - 1][0]);
    const x = (step) => MARGIN.left + (step / steps) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => height - MARGIN.bottom - ((value - least) / (most - least)) * (height - MARGIN.top - MARGIN.bottom);
    for (const value of rounds(least, most)) {
      add(svg, "path", { class: "line", d: `M${MARGIN.left} ${y(value)}H${width - MARGIN.right}` });
      add(svg, "text", { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, value);
    }
    add(svg, "text", { x: MARGIN.left, y: height - 5 }, "step 0");
    add(svg, "text", { x: width - MARGIN.right, y: height - 5, "text-anchor": "end" }, steps.toLocaleString("en"));
    const way = points.map(([step, value]) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
    add(svg, "path", { class: "curve", d: `M${way}` });
    add(svg, "circle", { r: 3.5, cx: x(points[points.length - 1][0]), cy: y(last) });
  };
})();
