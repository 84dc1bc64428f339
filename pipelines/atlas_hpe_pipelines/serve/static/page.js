// What the page shows and does; the drawing is in the other files.

import { Chart, DASHES } from "./chart.js";
import { HandSpace } from "./hand_space.js";
import { LivePicture } from "./picture.js";

const RETRY_MS = 2000;
const $ = (id) => document.getElementById(id);

const STATES = {
  starting: "starting", running: "running", stopped: "stopped", ended: "at its end", failed: "failed",
};
const steps = new Map(); // name of a step -> its number, which chooses colour and dash
const space = new HandSpace($("space"));
const picture = new LivePicture($("picture"), () => { hasPicture = true; showOver(); });
const rateChart = new Chart($("rate-chart"), () => styleOf(0), true);
const timeChart = new Chart($("time-chart"), (name) => styleOf(steps.get(name)));
let events = null;
let retry = 0;
let state = null; // of the newest stats event
let hasPicture = false;

function styleOf(number) {
  const slot = number % DASHES.length;
  const colour = getComputedStyle(document.documentElement).getPropertyValue(`--step-${slot}`);
  return { colour: colour.trim(), dash: DASHES[slot] };
}

// --- connection ------------------------------------------------------------------------------

function connect() {
  clearTimeout(retry);
  events = new EventSource("events");
  events.addEventListener("frame", (event) => showFrame(JSON.parse(event.data)));
  events.addEventListener("stats", (event) => showState(JSON.parse(event.data)));
  events.onerror = () => {
    showConnection("waiting", "no connection, trying again");
    // The browser tries again by itself, unless it was answered with an error.
    if (events.readyState === EventSource.CLOSED) reconnect();
  };
}

async function reconnect() {
  retry = setTimeout(connect, RETRY_MS);
  const answer = await fetch("state").catch(() => null);
  if (answer?.status === 401) {
    clearTimeout(retry);
    showProblem("The server asks for its token: open the address that it printed when it was started.");
  }
}

function disconnect() {
  clearTimeout(retry);
  events?.close();
  events = null;
}

// A page that nobody sees asks for nothing: a board has other things to do.
function follow() {
  if (document.hidden) {
    disconnect();
    picture.pause();
  } else if (!events) {
    connect();
    picture.start();
  }
}

function showConnection(kind, text) {
  $("connection").dataset.state = kind;
  setText($("connection"), text);
}

// --- events ----------------------------------------------------------------------------------

function showFrame(frame) {
  const deep = space.show(frame.hands);
  setText($("depth-note"), deep
    ? "Drag or use the arrow keys to turn."
    : "This model gives no depth: the hand is flat.");
  $("no-hands").hidden = frame.hands.length > 0;
  const items = [...frame.hands].sort((a, b) => (a.track_id ?? 0) - (b.track_id ?? 0)).map(handItem);
  $("hands").replaceChildren(...items);
}

function handItem(hand) {
  const item = document.createElement("li");
  const side = hand.handedness === null ? "hand" : `${hand.handedness} hand`;
  item.append(make("span", "id", hand.track_id === null ? "no id" : `id ${hand.track_id}`));
  item.append(make("strong", "", side), make("span", "", `${percent(hand.score)} sure`));
  const meter = document.createElement("meter");
  meter.value = hand.score ?? 0;
  meter.setAttribute("aria-hidden", "true");
  item.append(meter);
  return item;
}

function showState(next) {
  const last = state;
  state = next;
  showConnection(state.state === "starting" ? "waiting" : state.state, STATES[state.state]);
  showProblem(state.error);
  setText($("source"), state.source ? `${lastPart(state.source)}, model ${state.model}` : "");
  $("source").title = state.source ?? "";
  setText($("basis"), state.basis_text ? `Times: ${state.basis_text}.` : "");
  setText($("rate"), state.frames_per_s.toFixed(1));
  const goes = state.state === "running" || state.state === "starting";
  setText($("toggle"), goes ? "Stop" : "Start");
  $("toggle").disabled = false;
  showOver();
  const warnings = state.warnings ?? [];
  if (warnings.join() !== (last?.warnings ?? []).join()) {
    $("warnings").replaceChildren(...warnings.map((text) => make("li", "", text)));
  }
  if (state.state === "running") addToCharts();
  showStages();
}

// Steps, and stages that have none: their times do not hold each other.
function leaves() {
  const stages = state.stages ?? [];
  const whole = new Set(stages.map((stage) => stage.within));
  return stages.filter((stage) => !whole.has(stage.name));
}

function addToCharts() {
  const at = performance.now() / 1000;
  for (const stage of leaves()) if (!steps.has(stage.name)) steps.set(stage.name, steps.size);
  rateChart.add(at, new Map([["frames/s", state.frames_per_s]]));
  timeChart.add(at, new Map(leaves().map((stage) => [stage.name, stage.recent_ms])));
}

function showStages() {
  $("stages").replaceChildren(...(state.stages ?? []).map((stage) => {
    const row = make("tr", stage.within === null ? "" : "step", "");
    const name = make("th", "", "");
    name.scope = "row";
    if (steps.has(stage.name)) name.append(swatch(styleOf(steps.get(stage.name))));
    name.append(stage.name);
    const figures = [stage.recent_ms, stage.p50_ms, stage.p95_ms].map((time) => time.toFixed(1));
    const queue = stage.within === null ? [stage.queue_mean.toFixed(1), stage.drops] : ["", ""];
    row.append(name, ...[...figures, ...queue].map((text) => make("td", "", String(text))));
    return row;
  }));
}

function swatch({ colour, dash }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const values = { x1: 0, y1: 5, x2: 30, y2: 5, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash.join(" ") };
  for (const [name, value] of Object.entries(values)) line.setAttribute(name, value);
  svg.setAttribute("viewBox", "0 0 30 10");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  return svg;
}

function showOver() {
  const stopped = state !== null && state.state !== "running" && state.state !== "starting";
  $("no-picture").hidden = hasPicture && !stopped;
  setText($("no-picture"), stopped ? STATES[state.state] : "waiting for the first picture");
}

// --- buttons ---------------------------------------------------------------------------------

$("toggle").addEventListener("click", async () => {
  const answer = await fetch($("toggle").textContent === "Stop" ? "stop" : "start", { method: "POST" })
    .catch(() => null);
  if (answer?.ok) showState(await answer.json());
  else say("the server does not answer");
});

$("clip").addEventListener("click", async () => {
  $("clip").disabled = true;
  say("making the GIF");
  const answer = await fetch(`clip.gif?seconds=${$("clip-seconds").value}`).catch(() => null);
  if (answer?.ok) {
    save(await answer.blob(), "hands.gif");
    say("");
  } else {
    say(answer ? (await answer.text()).trim() : "the server does not answer");
  }
  $("clip").disabled = false;
});

$("front").addEventListener("click", () => space.front());

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// --- small things ----------------------------------------------------------------------------

function make(tag, kind, text) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.textContent = text;
  return element;
}

// Setting the same text again would make a screen reader say it again.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Of a path its last part, of a stream's address all.
function lastPart(source) {
  return source.includes("://") ? source : source.split(/[\\/]/).filter(Boolean).pop() ?? source;
}

function percent(share) {
  return share === null ? "not" : `${Math.round(share * 100)} %`;
}

function say(text) {
  setText($("said"), text);
}

function showProblem(text) {
  $("problem").hidden = !text;
  setText($("problem"), text ?? "");
}

document.addEventListener("visibilitychange", follow);
follow();
