// One telephone on the page: its keys, lamps and screen, and the socket behind them.

const LETTERS = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ" };
const RING = ["up", "left", "ok", "right", "down"];

// The attribute of a key: digits get a name, the others have one.
export function attribute(key) {
  if (key === "*") return "star";
  if (key === "#") return "hash";
  return /^\d$/.test(key) ? `digit-${key}` : key;
}

export class Phone {
  // `main` phones get the plain ids (`#hook`, `#screen-text`), others get the number appended.
  constructor(number, main, onPress) {
    this.number = number;
    this.main = main;
    this.onPress = onPress;
    this.element = make("section", { class: main ? "phone main offline" : "phone beside offline", "data-phone": number });
    this.retry = 250;
    this.connect();
  }

  id(name) {
    return this.main ? name : `${name}-${this.number}`;
  }

  connect() {
    const socket = new WebSocket(`ws://${location.host}/panel/${this.number}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.retry = 250;
      // Minutes east of UTC, for the clock on the screen.
      this.send({ offset: -new Date().getTimezoneOffset() });
    };
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.paint(data);
      else this.handle(JSON.parse(data));
    };
    socket.onclose = () => {
      this.element.classList.add("offline");
      setTimeout(() => this.connect(), this.retry);
      this.retry = Math.min(this.retry * 2, 5000);
    };
    this.socket = socket;
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  press(key, pressed) {
    this.send({ key, pressed });
    this.element.querySelector(`[data-key="${CSS.escape(attribute(key))}"]`)?.classList.toggle("down", pressed);
  }

  tap(key) {
    this.press(key, true);
    this.press(key, false);
  }

  hook(up = !this.lifted) {
    if (this.model?.handset) this.send({ hook: up ? "off" : "on" });
    else this.tap(up ? "send" : "end");
  }

  handle(message) {
    if (message.type === "hello") this.build(message);
    else if (message.type === "state") this.show(message);
  }

  build({ model, title }) {
    this.model = model;
    this.title = title;
    this.lamps = new Map();
    this.blank = new Map();
    this.element.replaceChildren();
    this.element.dataset.model = model.name;
    this.element.classList.toggle("mono", model.mono);
    this.element.classList.remove("offline");
    const heading = make("h2", {}, make("span", {}, title));
    this.here = make("button", { class: "here", type: "button", id: this.id("use-handset"), "aria-pressed": "false" }, "Talk here");
    heading.append(this.here);
    const body = make("div", { class: "body" }, this.brand(), this.front(), this.keys());
    const shell = make("div", { class: "case" });
    if (model.handset) shell.append(this.cradle());
    shell.append(body);
    this.element.append(heading, shell);
    this.element.dispatchEvent(new CustomEvent("built", { bubbles: true }));
  }

  brand() {
    const row = make("div", { class: "brand" }, make("b", {}, "SIDETONE"), make("span", {}, this.model.title));
    for (const name of this.model.lamps) {
      if (name === "power") row.append(this.lamp(name, "power"));
      if (name === "status") row.append(this.lamp(name, "strip"));
    }
    return row;
  }

  cradle() {
    this.switch = make("button", { class: "cradle", type: "button", id: this.id("hook"), role: "switch", "aria-checked": "false", "aria-label": "Handset" },
      make("span", { class: "handset" }), make("span", { class: "caption" }, "LIFT"));
    this.switch.addEventListener("click", () => {
      this.onPress(this);
      this.hook();
    });
    return this.switch;
  }

  front() {
    const { width, height, lines } = this.model;
    this.canvas = make("canvas", { id: this.id("screen"), width, height, role: "img", "aria-labelledby": this.id("screen-text") });
    this.pixels = this.canvas.getContext("2d", { alpha: false });
    this.text = make("div", { class: "screen-text", id: this.id("screen-text"), role: "status", "aria-live": "polite" });
    const glass = make("div", { class: "glass" }, this.canvas, this.text);
    if (this.model.touch) this.touch();
    const front = make("div", { class: "front" });
    const both = lines > 6;
    const half = both ? Math.ceil(lines / 2) : lines;
    const column = (from, to) => {
      const side = make("div", { class: "lines" });
      for (let line = from; line <= to; line++) side.append(this.key(`line${line}`, "", `Line ${line}`));
      return side;
    };
    front.append(both ? column(1, half) : make("span"), glass, lines ? column(both ? half + 1 : 1, lines) : make("span"));
    // On a touch screen the soft keys are drawn.
    if (this.model.touch) return front;
    const softs = make("div", { class: "softs" });
    for (let soft = 1; soft <= 4; soft++) softs.append(this.key(`soft${soft}`, "", `Soft key ${soft}`));
    front.append(softs);
    return front;
  }

  touch() {
    const send = (phase) => (event) => {
      if (phase === "move" && !event.buttons) return;
      const box = this.canvas.getBoundingClientRect();
      const x = Math.floor(((event.clientX - box.left) / box.width) * this.model.width);
      const y = Math.floor(((event.clientY - box.top) / box.height) * this.model.height);
      if (phase === "down") this.onPress(this);
      this.send({ touch: phase, x: Math.max(0, x), y: Math.max(0, y) });
    };
    this.canvas.addEventListener("pointerdown", send("down"));
    this.canvas.addEventListener("pointermove", send("move"));
    this.canvas.addEventListener("pointerup", send("up"));
  }

  keys() {
    const all = new Map(this.model.keys);
    const take = (name) => {
      const caption = all.get(name);
      all.delete(name);
      return this.key(name, caption);
    };
    const ring = make("div", { class: "ring" });
    for (const name of RING) if (all.has(name)) ring.append(take(name));
    const volume = make("div", { class: "volume" });
    for (const name of ["volume-down", "volume-up"]) if (all.has(name)) volume.append(take(name));
    const pad = make("div", { class: "pad" });
    for (const digit of "123456789*0#") pad.append(this.key(digit, digit));
    const rest = [...all.keys()];
    const half = Math.ceil(rest.length / 2);
    const left = make("div", { class: "column" }, ...rest.slice(0, half).map(take));
    const right = make("div", { class: "column" }, ...rest.slice(half).map(take));
    const middle = make("div", { class: "column" }, ring, volume);
    return make("div", { class: "keys" }, middle, left, pad, right);
  }

  key(name, caption, label) {
    const button = make("button", { type: "button", "data-key": attribute(name) });
    if (label) {
      button.setAttribute("aria-label", label);
      button.dataset.name = label;
      this.blank.set(name, button);
    }
    if (/^[\d*#]$/.test(name)) {
      button.append(make("span", {}, caption));
      if (LETTERS[name]) button.append(make("small", {}, LETTERS[name]));
    } else {
      button.append(caption);
      if (caption === "−") button.setAttribute("aria-label", "Volume down");
      if (caption === "+") button.setAttribute("aria-label", "Volume up");
    }
    if (this.model.lamps.includes(name)) button.append(this.lamp(name));
    let down = false;
    const release = () => {
      if (down) this.press(name, false);
      down = false;
    };
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      // Keeps the focus where it was, so that the computer keyboard goes on dialling.
      event.preventDefault();
      this.onPress(this);
      down = true;
      this.press(name, true);
    });
    for (const type of ["pointerup", "pointerleave", "pointercancel"]) button.addEventListener(type, release);
    // A click without a pointer: the Enter key on a focused button, a screen reader, a script.
    button.addEventListener("click", (event) => {
      if (event.detail !== 0) return;
      this.onPress(this);
      this.tap(name);
    });
    return button;
  }

  lamp(name, shape = "") {
    const lamp = make("i", { class: `lamp ${shape}`, "data-lamp": name });
    this.lamps.set(name, lamp);
    return lamp;
  }

  show({ text, hook, ringing, lamps, labels }) {
    this.lifted = hook === "off";
    const lines = text.map((line) => make("div", { class: "line" }, line));
    this.text.replaceChildren(...lines);
    this.element.classList.toggle("ringing", ringing);
    if (this.switch) {
      this.switch.setAttribute("aria-checked", String(this.lifted));
      this.switch.querySelector(".caption").textContent = this.lifted ? "PUT BACK" : "LIFT";
    }
    // The caps of line keys and soft keys are blank: what they do now stands beside them on the screen.
    for (const [name, button] of this.blank) {
      const label = labels[name] ?? "";
      button.setAttribute("aria-label", label || button.dataset.name);
      button.title = label;
    }
    for (const [name, state] of Object.entries(lamps)) {
      const lamp = this.lamps.get(name);
      if (!lamp) continue;
      if (state.color) lamp.dataset.color = state.color;
      else delete lamp.dataset.color;
      lamp.classList.toggle("blink", Boolean(state.period));
      if (state.period) lamp.style.setProperty("--period", `${state.period}ms`);
    }
  }

  // A damaged rectangle: x, y, width, height as 16-bit little-endian, then RGB565 pixels.
  paint(buffer) {
    const head = new DataView(buffer);
    const [x, y, width, height] = [0, 2, 4, 6].map((at) => head.getUint16(at, true));
    const image = this.pixels.createImageData(width, height);
    const mono = this.model.mono;
    for (let i = 0, at = 8; i < width * height; i++, at += 2) {
      const pixel = head.getUint16(at, true);
      const o = i * 4;
      if (mono) {
        // The tones of a reflective LCD instead of black and white.
        const lit = pixel > 0x7fff;
        image.data[o] = lit ? 195 : 24;
        image.data[o + 1] = lit ? 210 : 34;
        image.data[o + 2] = lit ? 190 : 40;
      } else {
        const [r, g, b] = [pixel >> 11, (pixel >> 5) & 63, pixel & 31];
        image.data[o] = (r << 3) | (r >> 2);
        image.data[o + 1] = (g << 2) | (g >> 4);
        image.data[o + 2] = (b << 3) | (b >> 2);
      }
      image.data[o + 3] = 255;
    }
    this.pixels.putImageData(image, x, y);
    // Only now may the next picture come: a slow page gets fewer pictures, not a longer queue.
    this.send({ painted: true });
  }
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
