// The hands in space, turned by mouse, touch or keyboard. Each hand is centred on its palm and
// scaled by the length of its middle finger's chain, so that near and far hands look alike.

const CHAINS = [0, 1, 2, 3, 4].map((finger) => [0, 1, 2, 3, 4].map((n) => (n ? 4 * finger + n : 0)));
const PALM = [0, 5, 9, 13, 17];
const MIDDLE = [0, 9, 10, 11, 12];
// Thumb to little finger, as in the picture.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7"];
const START = { yaw: -0.6, pitch: 0.3 };
const CAMERA = 4; // in hand lengths
const KEY_STEP = 0.15;
const FLOOR_Y = 0.52;

export class HandSpace {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.hands = [];
    this.turn = { ...START };
    this.waiting = false;
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  // hands: the "hands" of a frame event. Returns whether they have depth.
  show(hands) {
    const solid = hands.map(toPoints).filter((hand) => hand !== null);
    solid.sort((a, b) => a.x - b.x);
    this.hands = solid;
    this.redraw();
    return solid.every((hand) => hand.deep);
  }

  front() {
    this.turn = { yaw: 0, pitch: 0 };
    this.redraw();
  }

  drag(event) {
    if (!this.canvas.hasPointerCapture(event.pointerId)) return;
    this.rotate(event.movementX * 0.01, event.movementY * 0.01);
  }

  key(event) {
    const steps = {
      ArrowLeft: [-KEY_STEP, 0], ArrowRight: [KEY_STEP, 0], ArrowUp: [0, -KEY_STEP], ArrowDown: [0, KEY_STEP],
    };
    if (event.key === "Home") this.front();
    else if (steps[event.key]) this.rotate(...steps[event.key]);
    else return;
    event.preventDefault();
  }

  rotate(yaw, pitch) {
    this.turn.yaw += yaw;
    this.turn.pitch = Math.max(-1.5, Math.min(1.5, this.turn.pitch + pitch));
    this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const { canvas, context } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.scale(ratio, ratio);
    context.translate(width / 2, height * 0.56); // fingers mostly point up
    const across = Math.max(1, this.hands.length);
    this.unit = Math.min(height * 0.74, (width / across) * 0.8);
    this.drawFloor(across);
    const parts = [];
    this.hands.forEach((hand, index) => {
      const shift = (index - (this.hands.length - 1) / 2) * 1.15;
      this.collect(hand, shift, parts);
    });
    parts.sort((a, b) => b.depth - a.depth); // far ones first
    for (const part of parts) part.draw();
  }

  // x to the right, y down, z away from the viewer -> place on the canvas and depth.
  project([x, y, z]) {
    const { yaw, pitch } = this.turn;
    const x1 = x * Math.cos(yaw) + z * Math.sin(yaw);
    const z1 = z * Math.cos(yaw) - x * Math.sin(yaw);
    const y2 = y * Math.cos(pitch) + z1 * Math.sin(pitch);
    const z2 = z1 * Math.cos(pitch) - y * Math.sin(pitch);
    const scale = (this.unit * CAMERA) / Math.max(0.5, CAMERA + z2);
    return { x: x1 * scale, y: y2 * scale, depth: z2, scale };
  }

  drawFloor(across) {
    const { context } = this;
    context.strokeStyle = "rgb(150 170 200 / 22%)";
    context.lineWidth = 1;
    const reach = 0.7 * across;
    for (let step = -4; step <= 4; step += 1) {
      const at = (step / 4) * reach;
      this.line([at, FLOOR_Y, -reach], [at, FLOOR_Y, reach]);
      this.line([-reach, FLOOR_Y, at], [reach, FLOOR_Y, at]);
    }
  }

  line(start, end) {
    const from = this.project(start), to = this.project(end);
    this.context.beginPath();
    this.context.moveTo(from.x, from.y);
    this.context.lineTo(to.x, to.y);
    this.context.stroke();
  }

  collect(hand, shift, parts) {
    const places = hand.points.map((point) =>
      point === null ? null : this.project([point[0] + shift, point[1], point[2]]));
    CHAINS.forEach((chain, finger) => {
      for (let n = 1; n < chain.length; n += 1) {
        const from = places[chain[n - 1]], to = places[chain[n]];
        if (from && to) parts.push(this.bone(from, to, COLOURS[finger]));
      }
    });
    places.forEach((place, joint) => {
      if (place) parts.push(this.joint(place, joint ? COLOURS[Math.floor((joint - 1) / 4)] : "#ffffff"));
    });
  }

  bone(from, to, colour) {
    const { context } = this;
    const depth = (from.depth + to.depth) / 2;
    const width = (from.scale + to.scale) * 0.014;
    return {
      depth,
      draw: () => {
        for (const [style, thick] of [["#05070a", width + 3], [colour, width]]) {
          context.strokeStyle = style;
          context.lineWidth = thick;
          context.lineCap = "round";
          context.beginPath();
          context.moveTo(from.x, from.y);
          context.lineTo(to.x, to.y);
          context.stroke();
        }
      },
    };
  }

  joint(place, colour) {
    const { context } = this;
    return {
      depth: place.depth - 0.06, // in front of its own bones
      draw: () => {
        context.fillStyle = colour;
        context.strokeStyle = "#05070a";
        context.lineWidth = 1.5;
        context.beginPath();
        context.arc(place.x, place.y, place.scale * 0.024, 0, 2 * Math.PI);
        context.fill();
        context.stroke();
      },
    };
  }
}

// 21 points in hand lengths around the palm, null where a joint was not found.
function toPoints(hand) {
  const deep = hand.joints_3d !== null || hand.depth !== null;
  const raw = hand.joints.map((joint, index) => {
    const point = hand.joints_3d ? hand.joints_3d[index] : [...joint, hand.depth ? hand.depth[index] : 0];
    return point.every(Number.isFinite) ? point : null;
  });
  const palm = PALM.map((joint) => raw[joint]).filter((point) => point !== null);
  const length = chainLength(raw);
  if (!palm.length || !(length > 0)) return null;
  const centre = [0, 1, 2].map((axis) => palm.reduce((sum, point) => sum + point[axis], 0) / palm.length);
  const points = raw.map((point) => point && point.map((value, axis) => (value - centre[axis]) / length));
  return { points, deep, x: hand.box[0] ?? 0 };
}

function chainLength(points) {
  let length = 0;
  for (let n = 1; n < MIDDLE.length; n += 1) {
    const from = points[MIDDLE[n - 1]], to = points[MIDDLE[n]];
    if (from && to) length += Math.hypot(...from.map((value, axis) => value - to[axis]));
  }
  return length;
}
