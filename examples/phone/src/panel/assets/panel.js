// The page: which phones stand on it, which of them has the handset, and the computer keyboard.

import { Handset } from "/assets/handset.js";
import { Phone } from "/assets/phone.js";

const KEYS = {
  Enter: "send", Escape: "cancel", Backspace: "delete", Delete: "delete", h: "hold", m: "mute", r: "redial", s: "speaker",
  t: "transfer", "+": "volume-up", "-": "volume-down", ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right",
  F1: "soft1", F2: "soft2", F3: "soft3", F4: "soft4",
};

const desk = document.getElementById("desk");
const status = document.getElementById("audio-status");
const meters = { mic: document.getElementById("mic-level"), ear: document.getElementById("ear-level") };

const handset = new Handset(
  (state, text) => {
    status.dataset.state = state;
    status.textContent = text;
  },
  (levels) => {
    for (const name of ["mic", "ear"]) {
      // -60 dB to 0 dB on the whole width.
      const level = Math.max(0, 1 + Math.log10(levels[name] + 1e-9) / 3);
      meters[name].style.clipPath = `inset(0 ${((1 - Math.min(1, level)) * 100).toFixed(1)}% 0 0)`;
    }
    window.sidetone.levels = levels;
  },
);

const layout = await (await fetch(`/phones${location.pathname}`)).json();
const phones = layout.phones.map((number, index) => new Phone(number, index === 0, pressed));
for (const phone of phones) desk.append(phone.element);
// For scripts and the console.
window.sidetone = { phones, handset, levels: null };
talk(phones[0]);

// Moves the handset to a phone.
function talk(phone) {
  handset.use(phone.number);
  mark();
}

function mark() {
  for (const phone of phones) {
    if (!phone.here) continue;
    const here = phone.number === handset.phone;
    phone.here.hidden = phones.length === 1;
    phone.here.setAttribute("aria-pressed", String(here));
    phone.here.textContent = here ? "You talk here" : "Talk here";
  }
  // A phone does not call itself.
  for (const hint of document.querySelectorAll("#hints button")) hint.hidden = hint.dataset.owner === String(handset.phone);
}

desk.addEventListener("built", (event) => {
  const phone = phones.find((phone) => phone.element === event.target);
  phone.here.addEventListener("click", () => {
    handset.start();
    talk(phone);
  });
  mark();
});

// A key of a phone was pressed: the moment at which browsers let a page make sound.
function pressed() {
  handset.start();
  handset.retake();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // A button reached with the Tab key keeps its own Enter and Space.
  if (document.activeElement?.matches("button:focus-visible") && ["Enter", " "].includes(event.key)) return;
  const phone = phones.find((phone) => phone.number === handset.phone) ?? phones[0];
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const key = /^[\d*#]$/.test(name) ? name : KEYS[name];
  if (!key && name !== "o") return;
  event.preventDefault();
  if (event.repeat) return;
  pressed();
  if (name === "o") phone.hook();
  else {
    phone.press(key, true);
    held.set(event.code, () => phone.press(key, false));
  }
});

const held = new Map();
addEventListener("keyup", (event) => {
  held.get(event.code)?.();
  held.delete(event.code);
});
addEventListener("blur", () => {
  for (const release of held.values()) release();
  held.clear();
});

const hints = document.getElementById("hints");
for (const { number, meaning, phone: owner } of layout.hints) {
  const button = document.createElement("button");
  button.type = "button";
  const digits = document.createElement("b");
  digits.textContent = number;
  button.append(digits, meaning);
  button.dataset.dial = number;
  if (owner) button.dataset.owner = owner;
  button.addEventListener("click", () => {
    pressed();
    const phone = phones.find((phone) => phone.number === handset.phone) ?? phones[0];
    for (const digit of number) phone.tap(digit);
    phone.tap("send");
  });
  hints.append(button);
}
hints.hidden = layout.hints.length === 0;
mark();
