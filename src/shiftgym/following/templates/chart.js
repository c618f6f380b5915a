// One chart: lines over an axis, with intervals as bands, and the value under the pointer or chosen by keys.
//
// Series: { key, group, label, colour, solid, faint, dash, marker, band, level, points: [{ x, y, low, high }] }. A
// series whose object is the one that was drawn is not drawn again. A chart out of sight is drawn when it is scrolled to.

class Chart {
  static #seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) target.chart.#setVisible(isIntersecting);
  }, { rootMargin: "1000px" });

  static #sized = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) target.chart.#setWidth(Math.round(contentRect.width));
  });

  // Each is drawn from the point itself, by relative steps.
  static MARKERS = [
    "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0",
    "m-2.9 -2.9h5.8v5.8h-5.8z",
    "m0 -3.8l3.6 6.4h-7.2z",
    "m0 -3.9l3.9 3.9l-3.9 3.9l-3.9 -3.9z",
    "m0 3.8l3.6 -6.4h-7.2z",
    "m-1.4 -3.8h2.8v2.4h2.4v2.8h-2.4v2.4h-2.8v-2.4h-2.4v-2.8h2.4z",
    "m-3.8 -2l1.8 -1.8l2 2l2 -2l1.8 1.8l-2 2l2 2l-1.8 1.8l-2 -2l-2 2l-1.8 -1.8l2 -2z",
  ];

  // Markers on more points than this would hide the line.
  static MARKED = 24;

  #series = [];
  #options = { xLabel: "", detail: "", xMax: null, ySpan: null, format: words.number };
  #drawn = { x: null, y: null, series: new Map() };
  #visible = false;
  #width = 0;
  #stale = false;

  // `options`: { xLabel, detail, xMax, ySpan: [low, high], format(y) }; what is null follows from the data, `detail`
  // stands beside the title.
  constructor(key, title) {
    this.figure = element("figure");
    this.figure.dataset.chart = key;
    this.caption = element("figcaption");
    this.caption.append(element("b", title), element("small"));
    this.plot = element("div", "", "plot");
    this.plot.chart = this;
    this.svg = svgElement("svg", { "aria-hidden": "true" });
    this.layers = Object.fromEntries(["axes", "bands", "lines", "cursor"].map((name) => {
      const layer = svgElement("g", { class: name });
      this.svg.append(layer);
      return [name, layer];
    }));
    this.plot.append(this.svg);
    this.figure.append(this.caption, this.plot);
    this.reader = new Reader(this);
    Chart.#seen.observe(this.plot);
    Chart.#sized.observe(this.plot);
    addEventListener("beforeprint", () => this.#setVisible(true));
  }

  show(series, options) {
    this.#series = series;
    this.#options = { ...this.#options, ...options };
    this.#stale = true;
    this.reader.update();
    this.#draw();
  }

  get series() {
    return this.#series;
  }

  get options() {
    return this.#options;
  }

  get scales() {
    return this.#drawn;
  }

  remove() {
    Chart.#seen.unobserve(this.plot);
    Chart.#sized.unobserve(this.plot);
    this.figure.remove();
  }

  // Show one branch before all others; null: all alike.
  highlight(key) {
    for (const line of this.layers.lines.children) line.classList.toggle("back", key !== null && line.dataset.group !== key);
  }

  #setVisible(visible) {
    this.#visible = visible;
    if (visible && this.#stale) this.#draw();
  }

  // Told by the browser, since asking for it would make it lay out the page anew for every chart.
  #setWidth(width) {
    this.#width = width;
    this.#draw();
  }

  #draw() {
    const width = this.#width;
    if (!this.#visible || width === 0) {
      this.#stale = true;
      return;
    }
    this.#stale = false;
    const height = Math.round(Math.min(300, Math.max(190, width * 0.66)));
    const { x, y } = this.#fit(width, height);
    const moved = !x.equals(this.#drawn.x) || !y.equals(this.#drawn.y);
    if (moved) {
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.#drawn = { x, y, series: new Map() };
      this.#drawGrid(width, height);
    }
    this.#drawTitles();
    this.#drawSeries();
    this.reader.update();
  }

  #fit(width, height) {
    let [low, high, far, near] = [Infinity, -Infinity, -Infinity, 0];
    for (const { points, band } of this.#series) {
      for (const point of points) {
        far = Math.max(far, point.x);
        near = Math.min(near, point.x);
        low = Math.min(low, point.y, band ? (point.low ?? point.y) : point.y);
        high = Math.max(high, point.y, band ? (point.high ?? point.y) : point.y);
      }
    }
    if (this.#options.ySpan) [low, high] = this.#options.ySpan;
    if (low > high) [low, high] = [0, 1];
    const y = new Scale(low, high, height - 40, 10, 5);
    const widest = Math.max(...y.ticks.map((tick) => y.label(tick).length));
    const { xMax } = this.#options;
    // Where the end is not known, the axis ends at a round number, so that it seldom changes while a line grows.
    const exact = xMax !== null;
    far = Math.max(far, xMax ?? near, near);
    const x = new Scale(near, far, 14 + 7 * widest, width - 10, Math.max(3, Math.min(6, width / 80)), exact);
    return { x, y };
  }

  #drawGrid(width, height) {
    const { x, y } = this.#drawn;
    const parts = [];
    for (const tick of y.ticks) {
      parts.push(svgElement("line", { x1: x.from, x2: x.to, y1: y.at(tick), y2: y.at(tick) }));
      parts.push(svgElement("text", { x: x.from - 7, y: y.at(tick) + 4, "text-anchor": "end" }, y.label(tick)));
    }
    for (const tick of x.ticks) {
      parts.push(svgElement("line", { class: "tick", x1: x.at(tick), x2: x.at(tick), y1: y.from, y2: y.from + 4 }));
      parts.push(svgElement("text", { x: x.at(tick), y: y.from + 17, "text-anchor": "middle" }, x.label(tick)));
    }
    this.titles = svgElement("text", { x: (x.from + x.to) / 2, y: height - 4, "text-anchor": "middle" });
    this.layers.axes.replaceChildren(...parts, this.titles);
    for (const name of ["bands", "lines"]) this.layers[name].replaceChildren();
  }

  #drawTitles() {
    const { x, y } = this.#drawn;
    setText(this.titles, [this.#options.xLabel, x.unit].filter(Boolean).join(", "));
    setText(this.caption.lastElementChild, [this.#options.detail, y.unit].filter(Boolean).join(", "));
  }

  #drawSeries() {
    const { series: drawn } = this.#drawn;
    const wanted = new Set(this.#series);
    for (const [key, { series, parts }] of drawn) {
      if (wanted.has(series)) continue;
      for (const part of parts) part.remove();
      drawn.delete(key);
    }
    for (const series of this.#series) {
      if (!drawn.has(series.key)) drawn.set(series.key, { series, parts: this.#partsOf(series) });
    }
  }

  #partsOf(series) {
    const { x, y } = this.#drawn;
    const at = series.points.map((point) => [round(x.at(point.x)), round(y.at(point.y))]);
    const group = svgElement("g", { class: series.solid ? "solid" : series.faint ? "faint" : "thin", "data-group": series.group ?? series.key });
    group.style.color = series.colour;
    const line = svgElement("path", { class: series.level ? "level" : "line", d: `M${at.map((point) => point.join(" ")).join("L")}`, "data-key": series.key });
    if (series.dash) line.setAttribute("stroke-dasharray", series.dash);
    group.append(line);
    if (series.marker !== null && series.points.length <= Chart.MARKED) {
      const mark = Chart.MARKERS[series.marker % Chart.MARKERS.length];
      group.append(svgElement("path", { class: "marker", d: at.map((point) => `M${point.join(" ")}${mark}`).join("") }));
    }
    if (series.solid) this.layers.lines.append(group);
    else this.layers.lines.prepend(group);
    const limits = series.points.filter(({ low }) => low !== null && low !== undefined);
    if (!series.band || limits.length < 2) return [group];
    const edge = (points, name) => points.map((point) => `${round(x.at(point.x))} ${round(y.at(point[name]))}`);
    const outline = [...edge(limits, "high"), ...edge([...limits].reverse(), "low")];
    const band = svgElement("path", { class: "band", d: `M${outline.join("L")}Z`, "data-key": series.key });
    band.style.color = series.colour;
    this.layers.bands.append(band);
    return [group, band];
  }
}

const round = (pixels) => Math.round(pixels * 10) / 10;
