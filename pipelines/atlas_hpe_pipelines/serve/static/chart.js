// Running line charts of the last minute, one point a second.

const SECONDS = 60;
const FONT = "12px system-ui, sans-serif";
const MARGIN = { left: 38, right: 10, top: 8, bottom: 20 };
// With the colours, so that lines are told apart without them too.
export const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4], [3, 5], [6, 2, 2, 2, 2, 2]];

export class Chart {
  // style(name): {colour, dash}; fill: shade what is below the line.
  constructor(canvas, style, fill = false) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.style = style;
    this.fill = fill;
    this.points = []; // {at, values: Map of name -> number}
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  add(at, values) {
    this.points.push({ at, values });
    while (this.points[0].at < at - SECONDS) this.points.shift();
    this.draw();
  }

  draw() {
    const { canvas, context } = this;
    const ratio = window.devicePixelRatio || 1;
    this.width = canvas.clientWidth;
    this.height = canvas.clientHeight;
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(this.height * ratio);
    context.scale(ratio, ratio);
    this.top = niceTop(Math.max(0, ...this.points.flatMap((point) => [...point.values.values()])));
    this.drawGrid();
    const names = new Set(this.points.flatMap((point) => [...point.values.keys()]));
    for (const name of names) this.drawLine(name);
  }

  placeX(at) {
    const now = this.points.length ? this.points[this.points.length - 1].at : 0;
    return this.width - MARGIN.right - ((now - at) / SECONDS) * (this.width - MARGIN.left - MARGIN.right);
  }

  placeY(value) {
    const bottom = this.height - MARGIN.bottom;
    return bottom - (value / this.top) * (bottom - MARGIN.top);
  }

  drawGrid() {
    const { context } = this;
    const css = getComputedStyle(this.canvas);
    context.font = FONT;
    context.fillStyle = css.getPropertyValue("--quiet");
    context.strokeStyle = css.getPropertyValue("--line");
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (let step = 0; step <= 4; step += 1) {
      const value = (this.top * step) / 4, y = Math.round(this.placeY(value)) + 0.5;
      context.beginPath();
      context.moveTo(MARGIN.left, y);
      context.lineTo(this.width - MARGIN.right, y);
      context.stroke();
      context.fillText(String(Number(value.toPrecision(3))), MARGIN.left - 6, y);
    }
    context.textBaseline = "bottom";
    context.fillText("now", this.width - MARGIN.right, this.height);
    context.textAlign = "left";
    context.fillText("60 s ago", MARGIN.left, this.height);
  }

  drawLine(name) {
    const { context } = this;
    const { colour, dash } = this.style(name);
    const places = this.points
      .filter((point) => point.values.has(name))
      .map((point) => [this.placeX(point.at), this.placeY(point.values.get(name))]);
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.setLineDash(dash);
    context.beginPath();
    for (const [x, y] of places) context.lineTo(x, y);
    context.stroke();
    context.setLineDash([]);
    if (this.fill && places.length > 1) {
      context.lineTo(places[places.length - 1][0], this.placeY(0));
      context.lineTo(places[0][0], this.placeY(0));
      context.globalAlpha = 0.15;
      context.fill();
      context.globalAlpha = 1;
    }
    const [x, y] = places[places.length - 1];
    context.beginPath();
    context.arc(x, y, 3, 0, 2 * Math.PI);
    context.fill();
  }
}

// The least of 1, 2, 4, 6, 8 times a power of ten that holds the value: four even parts.
function niceTop(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 6, 8, 10].find((step) => step * power >= value);
}
