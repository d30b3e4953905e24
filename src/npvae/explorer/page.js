"use strict";

// What npvae.explorer.page put into the page: `content` says where each array lies in `payload`.
const STEPS = 7; // images between two
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const canvas = (id) => document.getElementById(id);

async function unpack() {
  const text = atob(document.getElementById("payload").textContent);
  const packed = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

function array(buffer, { type, shape, offset, values }) {
  if (values) return values;
  const length = shape.reduce((a, b) => a * b, 1);
  const kinds = { int8: Int8Array, uint8: Uint8Array, float32: Float32Array };
  return Object.assign(new kinds[type](buffer, offset, length), { shape });
}

// ---- the model: decode, predict and arc are npvae.explorer.part's and npvae.latent.paths'

const ACTIVATIONS = {
  Tanh: Math.tanh,
  ReLU: (a) => Math.max(a, 0),
  ELU: (a) => (a > 0 ? a : Math.expm1(a)),
};

function decode(part, z) {
  let input = z;
  for (let layer = 0; layer <= part.activations.length; layer++) {
    const [weight, scale, bias] = [part[`weight${layer}`], part[`weight${layer}_scale`], part[`bias${layer}`]];
    const activation = ACTIVATIONS[part.activations[layer]] ?? ((a) => 1 / (1 + Math.exp(-a)));
    const output = new Float32Array(bias.length);
    for (let row = 0, at = 0; row < output.length; row++) {
      let sum = 0;
      for (let column = 0; column < input.length; column++) sum += weight[at++] * input[column];
      output[row] = activation(sum * scale[row] + bias[row]);
    }
    input = output;
  }
  return input;
}

// E[z] of an image
function meanOf(part, image) {
  const size = part.mu.shape[1];
  return Float32Array.from({ length: size }, (_, k) => part.mu[image * size + k] * part.mu_scale[k]);
}

// z~ at a place of X
function predict(part, [x, y]) {
  const { cell_x: cells, cell_log_count: counts, cell_mu: mu, cell_mu_scale: scale } = part;
  const size = scale.length;
  const precision = 0.5 / part.length_scale[0] ** 2;
  const logs = counts.map((count, c) => count - precision * ((x - cells[2 * c]) ** 2 + (y - cells[2 * c + 1]) ** 2));
  const highest = logs.reduce((a, b) => Math.max(a, b));
  const z = new Float32Array(size);
  let total = 0;
  logs.forEach((log, c) => {
    const weight = Math.exp(log - highest);
    total += weight;
    if (weight > 1e-9) for (let k = 0; k < size; k++) z[k] += weight * mu[c * size + k];
  });
  return z.map((sum, k) => (sum / total) * scale[k]);
}

const mix = (a, b, t) => a.map((value, k) => (1 - t) * value + t * b[k]);
const norm = (a) => Math.hypot(...a);

// along a great circle, the norm going evenly from one end's to the other's
function arc(a, b, t) {
  const [from, to] = [norm(a), norm(b)];
  const [u, v] = [a.map((value) => value / from), b.map((value) => value / to)];
  const [middle, across] = [u.map((value, k) => value + v[k]), u.map((value, k) => v[k] - value)];
  const [m, c] = [norm(middle), norm(across)];
  const turned = (2 * t - 1) * Math.atan2(c, m);
  const length = (1 - t) * from + t * to;
  return middle.map((value, k) => length * ((Math.cos(turned) * value) / m + (c ? (Math.sin(turned) * across[k]) / c : 0)));
}

// ---- the page

function paint(where, values) {
  const context = where.getContext("2d");
  const pixels = context.createImageData(where.width, where.height);
  values.forEach((value, k) => pixels.data.set([...Array(3).fill(Math.round(255 * (1 - value))), 255], 4 * k));
  context.putImageData(pixels, 0, 0);
}

async function start() {
  const content = read("content");
  const buffer = await unpack();
  const images = array(buffer, content.images);
  const parts = Object.fromEntries(
    Object.entries(content.parts).map(([key, part]) => [
      key,
      Object.fromEntries(Object.entries(part).map(([name, at]) => [name, array(buffer, at)])),
    ]),
  );
  const [, height, width] = images.shape;
  const size = height * width;
  const real = (image) => Float32Array.from(images.subarray(size * image, size * (image + 1)), (value) => value / 255);
  const plot = (await Bokeh.embed.embed_item(read("plot"), "plane")).roots[0].model;
  const source = (name) => plot.renderers.map((renderer) => renderer.data_source).find((one) => one.name === name);
  const plane = canvas("plane");
  const form = canvas("choice");

  let part, plain, view; // the chosen model, the plain VAE at the same Z, and the window on X
  let place = [0, 0];
  let ends = []; // of the path, as images
  let painted; // the path that is shown

  const point = (image) => [part.x[2 * image], part.x[2 * image + 1]];
  const show = (name, points) => {
    source(name).data = { x: points.map((one) => one[0]), y: points.map((one) => one[1]) };
  };

  function nearest([x, y]) {
    let best = 0;
    let least = Infinity;
    for (let image = 0; image < content.digits.length; image++) {
      const distance = (x - part.x[2 * image]) ** 2 + (y - part.x[2 * image + 1]) ** 2;
      if (distance < least) [best, least] = [image, distance];
    }
    return best;
  }

  function choose() {
    const { model, z } = Object.fromEntries(new FormData(form));
    [part, plain, view] = [parts[`${model} ${z}`], parts[`vae ${z}`], content.views[`${model} ${z}`]];
    const [left, right, bottom, top] = view.window;
    plot.x_range.setv({ start: left, end: right });
    plot.y_range.setv({ start: bottom, end: top });
    const all = content.digits.map((_, image) => point(image));
    source("dots").data = {
      x: all.map((one) => one[0]),
      y: all.map((one) => one[1]),
      colour: content.digits.map((digit) => content.colours[digit]),
    };
    const names = Object.entries(view.middles);
    source("names").data = { x: names.map(([, at]) => at[0]), y: names.map(([, at]) => at[1]), digit: names.map(([d]) => d) };
    const [[atImages, mean], [onGrid, gridMean]] = view.error;
    canvas("error").textContent =
      `With this choice a pixel (0 to 1) differs from the exact model's by ${atImages.toFixed(3)} at most and ` +
      `${mean.toFixed(4)} on average where test images lie, by ${onGrid.toFixed(3)} and ${gridMean.toFixed(4)} on a grid over X.`;
    place = point(ends[0] ?? nearest([(left + right) / 2, (bottom + top) / 2]));
    painted = undefined;
    draw();
  }

  function draw() {
    here();
    if (painted !== String(ends)) between();
    painted = String(ends);
  }

  function here() {
    const image = nearest(place);
    const decoded = canvas("decoded");
    paint(decoded, decode(part, predict(part, place)));
    Object.assign(decoded.dataset, { x: place[0], y: place[1], image });
    canvas("where").textContent = `(${place.map((value) => value.toFixed(1).replace("-", "−")).join(", ")})`;
    const label = { digit: "a ", label: "label " }[content.what];
    canvas("nearest").textContent = `The nearest dot${label ? `: ${label}${content.digits[image]}` : ""}`;
    paint(canvas("real"), real(image));
    paint(canvas("reconstruction"), decode(part, meanOf(part, image)));
    paint(canvas("fromx"), decode(part, predict(part, point(image))));
    show("place", [place]);
    show("chosen", [point(image), ...ends.map(point)]);
  }

  function between() {
    show("path", ends.map(point));
    canvas("paths").hidden = ends.length < 2;
    canvas("hint").hidden = ends.length === 2;
    if (ends.length < 2) return;
    const [first, last] = ends;
    const z = ends.map((image) => meanOf(plain, image));
    const along = {
      x: (t) => decode(part, predict(part, mix(point(first), point(last), t))),
      line: (t) => decode(plain, mix(z[0], z[1], t)),
      arc: (t) => decode(plain, arc(z[0], z[1], t)),
    };
    for (const strip of document.querySelectorAll(".strip")) {
      const path = along[strip.dataset.path];
      [...strip.children].forEach((cell, step) => {
        const t = step / (STEPS + 1);
        paint(cell, step === 0 ? real(first) : step === STEPS + 1 ? real(last) : path(t));
      });
    }
  }

  let waiting = false; // at most one redrawing for each frame, however fast the pointer
  function soon() {
    if (!waiting) requestAnimationFrame(() => ((waiting = false), draw()));
    waiting = true;
  }

  const at = (event) => [event.x, event.y];
  const go = (to) => {
    const [left, right, bottom, top] = view.window;
    place = [Math.min(Math.max(to[0], left), right), Math.min(Math.max(to[1], bottom), top)];
  };
  plot.on_event("mousemove", (event) => (go(at(event)), soon()));
  plot.on_event("tap", (event) => (go(at(event)), soon()));
  plot.on_event("panstart", (event) => {
    ends = [nearest(at(event))];
  });
  plot.on_event("pan", (event) => {
    go(at(event));
    ends = [ends[0], nearest(place)];
    soon();
  });

  plane.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    const step = (view.window[1] - view.window[0]) * (event.shiftKey ? 0.1 : 0.02);
    if (event.key in moves) go(mix(place, moves[event.key].map((move, axis) => place[axis] + move * step), 1));
    else if (event.key === "Enter") ends = ends.length === 1 ? [ends[0], nearest(place)] : [nearest(place)];
    else if (event.key === "Escape") ends = [];
    else return;
    event.preventDefault();
    soon();
  });
  form.addEventListener("change", choose);

  for (const strip of document.querySelectorAll(".strip")) {
    for (let step = 0; step < STEPS + 2; step++) {
      strip.append(Object.assign(document.createElement("canvas"), { width, height }));
    }
  }
  choose();
  document.body.dataset.ready = "";
}

start();
